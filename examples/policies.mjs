// One policy, from a schema's annotations: for what is sent, what is accepted, and what is logged. Run: node examples/policies.mjs
import { createReplayGuard, generateKeyPair, memoryStore } from "sealwire"
import { createPolicy, sealFields } from "sealwire/fields"

const schema = {
  type: "object",
  properties: {
    email: { type: "string", "x-sensitivity": "pseudonymous" },
    city: { type: "string", "x-sensitivity": "public" },
    account: {
      type: "object",
      properties: {
        iban: { type: "string", "x-sensitivity": "restricted" },
        pin: { type: "string", "x-sensitivity": "secret" },
      },
    },
  },
}
const policy = createPolicy({
  schema,
  sensitivity: { restricted: "seal", secret: "drop", pseudonymous: "hash", public: "keep" },
  rules: { "/account/holder": { action: "mask", keepFirst: 1 } },
  hashKey: crypto.getRandomValues(new Uint8Array(32)), // from your secrets: the same at each start
})

const customer = {
  email: "zoe@example.org",
  city: "Bern",
  account: { holder: "Zoë Müller", iban: "CH9300762011623852957", pin: "1234" },
}

// For a review: what happens to which field.
for (const { pointer, action } of policy.explain(customer)) console.log(action.padEnd(5), pointer)

// For a log: synchronous, and never throws.
console.log("logged:", JSON.stringify(policy.redact(customer)))

const replay = createReplayGuard({ store: memoryStore() })
const { publicKey, privateKey } = await generateKeyPair()
const options = { with: privateKey, context: "customers v1", replay }

const sealed = await policy.protect(customer, { to: publicKey, context: "customers v1" })
console.log("sent:", sealed.account) // {"holder":"Z***"}

const { document } = await policy.open(JSON.stringify(sealed), options)
console.log("received:", document.account) // {"holder":"Z***","iban":"CH9300762011623852957"}

// Another program seals the account number, and forgets the rest of the policy.
const fields = ["/account/iban"]
const careless = await sealFields(customer, { to: publicKey, context: "customers v1", fields })
const refused = await policy.open(careless, options).catch((error) => error.code)
console.log("without the policy:", refused) // "ERR_FIELDS"
