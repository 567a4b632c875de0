/**
 * Transfers in Postgres. Values are parameters in each statement, never part of its text: whatever they hold, they are data.
 *
 * PGlite is Postgres inside this process. `new pg.Pool({ … })` of the package `pg` has the same `query`.
 */

import { PGlite } from "@electric-sql/pglite"

/** @typedef {{ to: string, cents: number, reference: string, greeting?: string | undefined }} Order */
/** @typedef {{ number: number, to: string, cents: number, reference: string }} Transfer */

const SCHEMA = `
  create table transfers (
    number integer generated always as identity primary key,
    principal text not null,
    recipient text not null,
    cents bigint not null check (cents > 0),
    reference text not null,
    greeting text
  )`
const BOOK = `
  insert into transfers (principal, recipient, cents, reference, greeting)
  values ($1, $2, $3, $4, $5) returning number`
const LIST = `
  select number, recipient as to, cents, reference from transfers
  where principal = $1 and ($2::text is null or recipient = $2)
  order by number desc limit 50`
const GREETINGS = `
  select recipient as to, greeting as text from transfers
  where greeting is not null order by number desc limit 20`

/** Opens a database with nothing in it. */
export async function openTransfers() {
  const database = new PGlite()
  await database.query(SCHEMA)
  return {
    /**
     * @param {string} principal
     * @param {Order} order
     * @returns {Promise<number>}
     */
    async book(principal, { to, cents, reference, greeting }) {
      const values = [principal, to, cents, reference, greeting ?? null]
      const { rows } = await database.query(BOOK, values)
      return /** @type {{ number: number }} */ (rows[0]).number
    },
    /**
     * @param {string} principal Sees its own.
     * @param {string} [to]
     */
    async list(principal, to) {
      const { rows } = await database.query(LIST, [principal, to ?? null])
      return /** @type {Transfer[]} */ (rows)
    },
    async greetings() {
      const { rows } = await database.query(GREETINGS)
      return /** @type {{ to: string, text: string }[]} */ (rows)
    },
    close: () => database.close(),
  }
}

/** @typedef {Awaited<ReturnType<typeof openTransfers>>} Transfers */
