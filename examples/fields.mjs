// A document that a gateway routes by what is in clear, and cannot read or change. Run: node examples/fields.mjs
import { createReplayGuard, generateKeyPair, memoryStore } from "sealwire"
import { createClient } from "sealwire/client"
import { createPolicy, openFields, sealedFields, sealFields } from "sealwire/fields"
import { createEndpoint } from "sealwire/server"

const replay = createReplayGuard({ store: memoryStore() })
const { publicKey, privateKey } = await generateKeyPair()
const context = "https://shop.example orders v1"

// The sender seals the card's number, and every note that is there.
const order = {
  amount: 120,
  card: { brand: "visa", number: "4111111111111111" },
  items: [{ sku: "a", note: "for Zoë" }, { sku: "b" }],
}
const sealed = await sealFields(order, {
  to: publicKey,
  context,
  fields: ["/card/number"],
  fieldsIfPresent: ["/items/*/note"],
})
console.log("in clear:", sealed.items) // [{"sku":"a"},{"sku":"b"}]

/** @param {object} document */
const read = (document) =>
  openFields(JSON.stringify(document), {
    with: privateKey,
    context,
    replay,
    mustBeSealed: ["/card/number"],
    sealedIfPresent: ["/items/*/note"],
  })

// The gateway lowers the amount.
const lowered = await read({ ...sealed, amount: 1 }).catch((error) => error.code)
console.log("edited:", lowered) // "ERR_OPEN_FAILED"

// A careless sender leaves a note in clear.
const careless = await sealFields(order, { to: publicKey, context, fields: ["/card/number"] })
const refused = await read(careless).catch((error) => error.code)
console.log("sent in clear:", refused) // "ERR_FIELDS"

const { document } = await read(sealed)
console.log("opened:", document.card) // {"brand":"visa","number":"4111111111111111"}

const copy = await read(sealed).catch((error) => error.code)
console.log("a copy:", copy) // "ERR_REPLAYED"

// The same over HTTP: both ends share a policy, and method, path, query and headers are sealed with the fields.
const cards = createPolicy({ rules: { "/card/number": "seal" } })
const endpoint = createEndpoint({
  origin: "https://shop.example",
  keys: privateKey,
  replay,
  routes: { "POST /orders": { level: "medium", fields: cards } },
})
const client = createClient({
  baseUrl: "https://shop.example",
  keys: publicKey,
  fields: sealedFields({ "POST /orders": cards }),
  fetch(url, init) {
    console.log("on the way:", JSON.parse(String(init.body)).card) // {"brand":"visa"}
    const echo = async (/** @type {Request} */ request) => Response.json(await request.json())
    return endpoint.handle(new Request(url, init), echo, { address: "127.0.0.1", encrypted: true })
  },
})
const answer = await client.fetch("/orders", { method: "POST", body: JSON.stringify(order) })
console.log("answered:", (await answer.json()).card) // {"brand":"visa","number":"4111111111111111"}
