/** The application: a bank with one account. It gets ordinary requests, and knows nothing of envelopes. */

/** @typedef {{ number: number, to: string, cents: number, reference: string, at: string }} Transfer */

const KEPT_TRANSFERS = 20

/**
 * @param {number} status
 * @param {string} title
 */
const problem = (status, title) =>
  Response.json(
    { type: "about:blank", title, status },
    { status, headers: { "content-type": "application/problem+json" } },
  )

/**
 * What the body of a transfer says; undefined for what is none.
 *
 * @param {unknown} body
 */
function readTransfer(body) {
  if (typeof body !== "object" || body === null || Array.isArray(body)) return undefined
  const { to = "", cents = 0, reference = "" } = /** @type {Record<string, unknown>} */ (body)
  if (typeof to !== "string" || to.length > 140) return undefined
  if (typeof reference !== "string" || reference.length > 140) return undefined
  if (typeof cents !== "number" || !Number.isSafeInteger(cents) || cents < 0 || cents > 1e9) return undefined
  return { to, cents, reference }
}

/** @returns {(request: Request) => Promise<Response>} */
export function createBank() {
  let balanceCents = 500_000
  let count = 0
  /** @type {Transfer[]} The latest first. */
  const latest = []

  /** @param {Request} request */
  async function transfer(request) {
    const order = readTransfer(await request.json().catch(() => undefined))
    if (!order) return problem(422, 'A transfer is JSON such as { "to": "Zoë", "cents": 12000 }')
    balanceCents -= order.cents
    count += 1
    const booked = { number: count, ...order, at: new Date().toISOString() }
    latest.unshift(booked)
    latest.length = Math.min(latest.length, KEPT_TRANSFERS)
    return Response.json({ ...booked, balanceCents }, { status: 201 })
  }

  /** @type {Record<string, (request: Request) => Response | Promise<Response>>} */
  const routes = {
    "POST /transfers": transfer,
    "GET /account": () => Response.json({ owner: "Demo", balanceCents, transfers: count, latest }),
    "GET /status": () => Response.json({ status: "up" }),
  }

  return async (request) => {
    const route = routes[`${request.method} ${new URL(request.url).pathname}`]
    return route ? route(request) : problem(404, "Not Found")
  }
}
