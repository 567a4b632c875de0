/**
 * Watches every test of the suite for secrets that show. vitest runs this before each test file, and nothing in src/ knows of it.
 *
 * Canaries are what the tests themselves use: each seed and message that is sealed, each content key, session secret and key that is
 * derived, each private key that is made or imported, each API key that is created, the keys of the published vectors. Processes
 * that a test starts tell theirs (watched-node.ts). Searched is what comes out: consoles and standard streams, also those of such
 * processes, each error that is made (words, members, causes), each event, the headers of each answer, and each opened message as a
 * logger would show it. A test in which a canary shows fails.
 *
 * @module
 */

import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

import { afterAll, afterEach, vi } from "vitest"

import type * as CreatedKeyModule from "../../src/api-keys/created-key.ts"
import type * as ClientEventsModule from "../../src/client/events.ts"
import type { Backend } from "../../src/crypto/backend.ts"
import type * as NobleModule from "../../src/crypto/noble.ts"
import type * as OpenedModule from "../../src/envelope/opened.ts"
import type * as KeyRingEventsModule from "../../src/key-ring/events.ts"
import type * as EndpointModule from "../../src/server/endpoint.ts"
import type { OuterResponse } from "../../src/http/outer-response.ts"
import type * as EventSinkModule from "../../src/server/event-sink.ts"
import { canaries } from "./canaries.ts"
import { tellJwk, watchPrivateKeys } from "./private-keys.ts"
import { SECRETS_FILE, toldReader } from "./told-secrets.ts"
import { knownAnswers } from "./vectors.ts"
import { type Tell, watchBackend } from "./watched-backend.ts"
import { watchChildren } from "./watched-children.ts"

// --- secrets ---

const tell: Tell = { secret: canaries.plantSecret, text: canaries.plantText }
watchPrivateKeys(tell.secret)

const { recipient, recipient_3072, signer, signer_es256, cases, session } = knownAnswers
for (const jwk of [recipient, recipient_3072, signer, signer_es256]) {
  tellJwk(tell.secret, "a key of the vectors", jwk)
}
for (const { seed, cek } of cases) {
  canaries.plantSecret("a seed of the vectors", Buffer.from(seed, "hex"))
  canaries.plantSecret("a content key of the vectors", Buffer.from(cek, "hex"))
}
canaries.plantSecret("a session secret of the vectors", Buffer.from(session.secret, "hex"))

/** The same module, with some of its exports replaced. */
type Original = <Module>() => Promise<Module>

async function watched(original: Original): Promise<object> {
  const module = await original<{ readonly backend: Backend }>()
  return { ...module, backend: watchBackend(module.backend, tell) }
}
vi.mock("../../src/crypto/node.ts", (original: Original) => watched(original))
vi.mock("../../src/crypto/web.ts", (original: Original) => watched(original))
vi.mock("../../src/crypto/noble.ts", async (original: Original) => {
  const module = await original<typeof NobleModule>()
  return { ...module, noble: watchBackend(module.noble, tell) }
})

/** A class whose instances are looked at when they are made. */
function onNew<Class extends new (...args: never[]) => object>(
  original: Class,
  look: (made: object, args: readonly unknown[]) => void,
): Class {
  const watchedClass: Class = new Proxy(original, {
    construct(target, args: unknown[], newTarget) {
      const made = Reflect.construct(target, args, newTarget === watchedClass ? target : newTarget) as object
      look(made, args)
      return made
    },
  })
  return watchedClass
}

vi.mock("../../src/api-keys/created-key.ts", async (original: Original) => {
  const module = await original<typeof CreatedKeyModule>()
  const CreatedApiKey = onNew(module.CreatedApiKey, (made, [, key]) => {
    // the id and the prefix are public
    canaries.plantSecret("an API key", String(key).slice(-32))
    canaries.searchValue("inspect of a created API key", made)
  })
  return { ...module, CreatedApiKey }
})

// --- what comes out ---

vi.mock("../../src/envelope/opened.ts", async (original: Original) => {
  const module = await original<typeof OpenedModule>()
  const look = (made: object): void => {
    canaries.searchValue("inspect of an opened message", made)
  }
  return { ...module, Opened: onNew(module.Opened, look), OpenedReply: onNew(module.OpenedReply, look) }
})

vi.mock("../../src/server/event-sink.ts", async (original: Original) => {
  const module = await original<typeof EventSinkModule>()
  const eventSink: typeof module.eventSink = (onEvent, ...rest) =>
    module.eventSink(
      (event) => {
        canaries.searchValue(`event ${event.type} of an endpoint`, event)
        return onEvent(event)
      },
      ...rest,
    )
  return { ...module, eventSink }
})

vi.mock("../../src/client/events.ts", async (original: Original) => {
  const module = await original<typeof ClientEventsModule>()
  const emitterOf: typeof module.emitterOf = (onEvent) => {
    const emit = module.emitterOf(onEvent)
    return (event) => {
      canaries.searchValue(`event ${event.type} of a client`, event)
      emit(event)
    }
  }
  return { ...module, emitterOf }
})

vi.mock("../../src/key-ring/events.ts", async (original: Original) => {
  const module = await original<typeof KeyRingEventsModule>()
  const report: typeof module.report = (onEvent, event) => {
    canaries.searchValue(`event ${event.type} of a key ring`, event)
    return module.report(onEvent, event)
  }
  return { ...module, report }
})

vi.mock("../../src/server/endpoint.ts", async (original: Original) => {
  const module = await original<typeof EndpointModule>()
  const look = <Answer extends Pick<Response, "headers"> | Pick<OuterResponse, "headers">>(
    response: Answer,
  ): Answer => {
    for (const [name, value] of response.headers) canaries.search(`response header ${name}`, value)
    return response
  }
  const createEndpoint: typeof module.createEndpoint = (options) => {
    const endpoint = module.createEndpoint(options)
    return {
      ...endpoint,
      handle: async (...args) => look(await endpoint.handle(...args)),
      answer: async (...args) => look(await endpoint.answer(...args)),
      refuse: async (...args) => look(await endpoint.refuse(...args)),
    }
  }
  return { ...module, createEndpoint }
})

const UnwatchedError = Error
const errorClasses = { Error, TypeError, RangeError, SyntaxError } as const
for (const [name, original] of Object.entries(errorClasses)) {
  // later, since members may be added to it after it was made
  const note = (made: object): object => {
    canaries.searchLater(`error ${name}`, made)
    return made
  }
  const watchedClass: typeof Error = new Proxy(original, {
    apply: (target, self, args) => note(Reflect.apply(target, self, args) as object),
    construct: (target, args, newTarget) =>
      note(Reflect.construct(target, args, newTarget === watchedClass ? target : newTarget) as object),
  })
  Object.assign(globalThis, { [name]: watchedClass })
}

for (const method of ["debug", "error", "info", "log", "trace", "warn"] as const) {
  const write = console[method].bind(console)
  console[method] = (...args: unknown[]) => {
    for (const value of args) canaries.searchValue(`console.${method}`, value)
    write(...args)
  }
}
for (const stream of [process.stdout, process.stderr]) {
  const write = stream.write.bind(stream) as (...args: unknown[]) => boolean
  stream.write = (...args: unknown[]) => {
    const [chunk] = args
    const text = typeof chunk === "string" ? chunk : Buffer.from(chunk as Uint8Array).toString("latin1")
    // later, since it may be what another process has written, whose secrets are not read yet
    canaries.searchLater(stream === process.stdout ? "stdout" : "stderr", text)
    return write(...args)
  }
}

const folder = mkdtempSync(join(tmpdir(), "sealwire-told-"))
const secretsFile = join(folder, "secrets")
process.env[SECRETS_FILE] = secretsFile
watchChildren(canaries, toldReader(secretsFile))

function assertSilence(): void {
  const [first, ...more] = canaries.takeFindings()
  if (!first) return
  const others = more.length === 0 ? "" : ` (and ${more.length} more)`
  throw new UnwatchedError(`${first.canary} shows in ${first.place}: ${first.text}${others}`)
}
/** A fleet of a minute tells some hundred thousand secrets. */
const SEARCH_TIMEOUT_MS = 60_000

afterEach(assertSilence, SEARCH_TIMEOUT_MS)
afterAll(() => {
  assertSilence()
  rmSync(folder, { recursive: true })
}, SEARCH_TIMEOUT_MS)
