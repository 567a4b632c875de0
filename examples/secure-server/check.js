/** The example, used once as a client would, and attacked a little: each step has one outcome that it should have. */

import { readFile } from "node:fs/promises"

import { agreedTls, ask, sealedClient } from "./client.js"
import { start } from "./start.js"

/** @typedef {import("./client.js").Server} Server */
/** @typedef {{ teller: string, auditor: string }} ApiKeys */
/** @typedef {{ server: Server, apiKeys: ApiKeys, lines: string[] }} World */
/** @typedef {{ name: string, expected: unknown, run: (world: World) => Promise<unknown> }} Step */

const MARKUP = '"><img src=x onerror=alert(1)>'
const SQL = "x'); drop table transfers; --"
const ORDER = { to: SQL, cents: 12_000, reference: "rent", greeting: MARKUP }

/** @param {string} key */
const bearer = (key) => ({ authorization: `Bearer ${key}` })

/**
 * @param {string} key
 * @param {object} [order]
 */
const transfer = (key, order = ORDER) => ({
  method: "POST",
  headers: { ...bearer(key), "content-type": "application/json" },
  body: JSON.stringify(order),
})

/** @param {import("./client.js").Answer} answer */
const repeatedHeaders = ({ headers }) =>
  headers.map(([name]) => name).filter((name, at, names) => names.indexOf(name) !== at)

/** @type {Step[]} */
const onTheWay = [
  { name: "TLS 1.3", expected: "TLSv1.3", run: ({ server }) => agreedTls(server, "TLSv1.3") },
  { name: "TLS 1.2", expected: "TLSv1.2", run: ({ server }) => agreedTls(server, "TLSv1.2") },
  {
    name: "TLS 1.1 is refused",
    expected: "ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION",
    run: ({ server }) => agreedTls(server, "TLSv1.1"),
  },
  {
    name: "plain HTTP is refused, not redirected",
    expected: 403,
    run: async ({ server }) => (await fetch(`http://${new URL(server.url).host}/status`)).status,
  },
  {
    name: "no header comes twice: page, directory, refusal, nginx's own answer",
    expected: [200, 200, 415, 413],
    async run({ server }) {
      const answers = [
        await ask(server, `${server.url}/`),
        await ask(server, `${server.url}/.well-known/sealwire`),
        await ask(server, `${server.url}/transfers`, { method: "POST", body: "{}" }),
        await ask(server, `${server.url}/transfers`, { method: "POST", body: "x".repeat(2_000_000) }),
      ]
      const wrong = answers.flatMap((answer) => [
        ...repeatedHeaders(answer),
        ...(answer.headers.some(([name]) => name === "strict-transport-security") ? [] : ["no HSTS"]),
      ])
      return wrong.length > 0 ? wrong : answers.map(({ status }) => status)
    },
  },
]

/** @type {Step[]} */
const asked = [
  {
    name: "a transfer is booked, with what would be SQL in it",
    expected: [201, { number: 1 }],
    async run({ server, apiKeys }) {
      const answer = await sealedClient(server).fetch("/transfers", transfer(apiKeys.teller))
      return [answer.status, await answer.json()]
    },
  },
  {
    name: "and is found by that, as text",
    expected: [{ number: 1, to: SQL, cents: 12_000, reference: "rent" }],
    async run({ server, apiKeys }) {
      const client = sealedClient(server)
      const path = `/transfers?to=${encodeURIComponent(SQL)}`
      return (await client.fetch(path, { headers: bearer(apiKeys.teller) })).json()
    },
  },
  {
    name: "one that is sent twice at once, under one idempotency key, is booked once",
    expected: [[201, 201], 1],
    async run({ server, apiKeys }) {
      const client = sealedClient(server)
      const { headers, ...rest } = transfer(apiKeys.teller, { ...ORDER, to: "landlord" })
      // the same message: what is sent again has the same headers, too
      const init = {
        ...rest,
        headers: { ...headers, "idempotency-key": "rent-11", "x-request-id": "rent-11" },
      }
      const answers = await Promise.all([client.fetch("/transfers", init), client.fetch("/transfers", init)])
      const booked = await client.fetch("/transfers?to=landlord", { headers: bearer(apiKeys.teller) })
      return [answers.map(({ status }) => status), (await booked.json()).length]
    },
  },
  {
    name: "markup in its greeting is text on the page",
    expected: "&quot;&gt;&lt;img src=x onerror=alert(1)&gt;",
    async run({ server }) {
      const { body } = await ask(server, `${server.url}/`)
      return /<li title="to [^"<>]*">([^<]*)<\/li>/.exec(new TextDecoder().decode(body))?.[1]
    },
  },
  {
    name: "JSON of another shape is refused, with what is wrong",
    expected: 422,
    run: async ({ server, apiKeys }) =>
      (await sealedClient(server).fetch("/transfers", transfer(apiKeys.teller, { ...ORDER, cents: -1 })))
        .status,
  },
  {
    name: "in a session",
    expected: 200,
    async run({ server, apiKeys }) {
      const client = sealedClient(server, { session: true })
      const { status } = await client.fetch("/transfers", { headers: bearer(apiKeys.auditor) })
      await client.logout()
      return status
    },
  },
]

/** @type {Step[]} */
const refused = [
  {
    name: "without an API key, and with one that may only look",
    expected: [401, 401],
    async run({ server, apiKeys }) {
      const client = sealedClient(server)
      const answers = ["", apiKeys.auditor].map((key) => client.fetch("/transfers", transfer(key)))
      return (await Promise.all(answers)).map(({ status }) => status)
    },
  },
  {
    name: "the same message again, and one changed on the way",
    expected: [409, 400],
    async run({ server, apiKeys }) {
      /** @type {[string, RequestInit][]} */
      const sent = []
      const client = sealedClient(server, { onSend: (...each) => void sent.push(each) })
      await client.fetch("/transfers", transfer(apiKeys.teller))
      const [url, init] = sent.find(([, { method }]) => method === "POST") ?? ["", {}]
      const changed = { ...init, body: String(init.body).replace(/.$/, (last) => (last === "A" ? "B" : "A")) }
      const answers = [await ask(server, url, init), await ask(server, url, changed)]
      return answers.map(({ status }) => status)
    },
  },
  {
    name: "a page of another site",
    expected: 403,
    run: async ({ server }) =>
      (await ask(server, `${server.url}/status`, { headers: { origin: "https://evil.example" } })).status,
  },
  {
    name: "the sixth request in a minute, whatever x-forwarded-for says; the alert rule says so",
    expected: [429, ["source-limit"]],
    async run({ server, lines }) {
      let status = 0
      for (let at = 0; at < 26; at++) {
        const headers = { "x-forwarded-for": `203.0.113.${at}` }
        status = (await ask(server, `${server.url}/transfers`, { method: "POST", headers, body: "{}" }))
          .status
        if (at < 5 && status !== 415) return [at, status]
      }
      const alerts = lines.map((line) => JSON.parse(line)).filter(({ alert }) => alert === "refusals")
      const [{ source = "", why = {} } = {}] = alerts
      return [status, source === server.from ? Object.keys(why).filter((each) => each !== "415") : source]
    },
  },
]

/**
 * @param {Step} step
 * @param {World} world
 */
async function passes({ name, expected, run }, world) {
  const came = await run(world).catch((/** @type {unknown} */ error) => String(error))
  const [wanted, got] = [expected, came].map((each) => JSON.stringify(each))
  const isOk = wanted === got
  console.log(isOk ? `ok      ${name}: ${got}` : `FAILED  ${name}: ${got} instead of ${wanted}`)
  return isOk
}

/** Starts the example, goes through the steps, and tells whether each had its outcome. */
export async function check() {
  /** @type {string[]} */
  const lines = []
  const started = await start({ writeLine: (line) => void lines.push(line) })
  let failures = 0
  try {
    const { url, pin } = started
    const ca = await readFile(started.caFile, "utf8")
    /** @type {ApiKeys} */
    const apiKeys = JSON.parse(await readFile(started.apiKeysFile, "utf8"))
    for (const [at, step] of [...onTheWay, ...asked, ...refused].entries()) {
      // each from an address of its own, so that none is refused for what came before
      const server = { url, pin, ca, from: `127.0.0.${at + 2}` }
      if (!(await passes(step, { server, apiKeys, lines }))) failures++
    }
  } finally {
    await started.close()
  }
  if (failures > 0) console.log(`\nits log:\n${lines.join("\n")}`)
  return failures === 0
}
