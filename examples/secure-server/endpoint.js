/** The endpoint, with all that several processes must share on Redis: replay ids, sessions, operations, limits, API keys. */

import { randomBytes } from "node:crypto"

import { RateLimiterRedis } from "rate-limiter-flexible"
import { createReplayGuard } from "sealwire"
import { createApiKeys } from "sealwire/api-keys"
import { createKeyRing, generateKeyPair, generateSigningKeyPair } from "sealwire/keys"
import { createEndpoint } from "sealwire/server"
import { createKeyPool, createSessions } from "sealwire/session"
import { redisApiKeyStore, redisIdempotencyStore, redisSessionStore, redisStore } from "sealwire/stores/redis"

/** @typedef {import("./redis.js").Redis} Redis */

const PREFIX = "bank"
/** One machine, so one clock. Over several machines leave the default, 5, and run NTP. */
const CLOCK_ERROR_SECONDS = 1
const QUARTER_SECONDS = 7_776_000

/**
 * Opens the replay store.
 *
 * @param {Redis} redis
 */
async function openReplayStore(redis) {
  const store = redisStore(redis, { prefix: PREFIX, clockErrorSeconds: CLOCK_ERROR_SECONDS })
  await store.ready()
  // an empty store quarantines messages to keys that are older than it: ours is made afterwards
  await new Promise((resolve) => setTimeout(resolve, store.knowsSince() - Date.now() + 1))
  return store
}

/**
 * Two keys to try it with: one that may do everything, and one that may only look.
 *
 * @param {import("sealwire/api-keys").ApiKeyStore} store
 */
async function issueKeys(store) {
  const apiKeys = createApiKeys({ store, prefix: PREFIX, pepper: randomBytes(32) })
  const [teller, auditor] = await Promise.all(
    [["transfers:write", "transfers:read"], ["transfers:read"]].map((scopes, at) =>
      apiKeys.create({
        principal: at === 0 ? "teller" : "auditor",
        scopes,
        expiresInSeconds: QUARTER_SECONDS,
      }),
    ),
  )
  return { apiKeys, issued: { teller: teller?.key ?? "", auditor: auditor?.key ?? "" } }
}

/**
 * @param {object} options
 * @param {string} options.origin As clients see it.
 * @param {Redis} options.redis
 * @param {import("sealwire/server").OnEndpointEvent} options.onEvent
 */
export async function openEndpoint({ origin, redis, onEvent }) {
  const store = await openReplayStore(redis)
  // README.md says where these come from in production: here they live as long as the process
  const [{ privateKey }, { signingKey: identity }] = await Promise.all([
    generateKeyPair(),
    generateSigningKeyPair(),
  ])
  const { apiKeys, issued } = await issueKeys(redisApiKeyStore(redis, { prefix: PREFIX }))
  // what sessions and operations are encrypted under in Redis
  const recordKeys = [randomBytes(32)]
  const sessions = createSessions({
    identity,
    keyPool: createKeyPool({ size: 2, extractable: true }),
    store: redisSessionStore(redis, { prefix: PREFIX }),
    recordKeys,
  })
  await sessions.ready(1)
  const endpoint = createEndpoint({
    origin,
    keys: createKeyRing([privateKey]),
    directory: { identity },
    sessions,
    replay: createReplayGuard({ store, clockErrorSeconds: CLOCK_ERROR_SECONDS }),
    authenticate: { apiKeys },
    // a transfer that is sent again under its idempotency key gets its first answer, whichever process it reaches
    idempotency: { store: redisIdempotencyStore(redis, { prefix: PREFIX }), recordKeys },
    routes: {
      "POST /transfers": { level: "high", scopes: ["transfers:write"] },
      "GET /transfers": { level: "medium", scopes: ["transfers:read"] },
      "GET /status": "low",
      "GET /style.css": "low",
      "GET /": "low",
    },
    // nginx, and nothing else that could reach this port
    trustedProxies: ["127.0.0.1"],
    origins: ["https://app.example"],
    limits: {
      createLimiter: (options) =>
        new RateLimiterRedis({ storeClient: redis, useRedisPackage: true, ...options }),
    },
    onEvent,
  })
  return { endpoint, sessions, issued, pin: identity.kid }
}
