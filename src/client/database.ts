/**
 * What the pages of one origin keep in IndexedDB. Whether there is one shows only when it is used: it may be missing, refuse (a
 * sandboxed frame, some private windows), or never answer (another page holds it up). A page then does without.
 *
 * @module
 */

import { createStore, type UseStore } from "idb-keyval"

import { Deadline } from "./deadline.ts"

/** Requests wait for it. */
const MAX_WAIT_MS = 2000

/** Does `work`; gives undefined where that fails, or takes too long. */
export type Database = <Result>(work: (use: UseStore) => Promise<Result>) => Promise<Result | undefined>

/** The database of that name, which has one table. */
export function databaseOf(name: string, table: string): Database {
  const store = createStore(name, table)
  const use: UseStore = (mode, callback) =>
    store(mode, (objects) => {
      const { db } = objects.transaction
      // whoever deletes it waits until every page has closed it, and whoever opens it waits for him
      db.onversionchange = (event) => {
        db.close()
        db.onclose?.(event)
      }
      return callback(objects)
    })
  return async (work) => {
    const deadline = new Deadline(MAX_WAIT_MS, undefined)
    try {
      return await deadline.wait(work(use))
    } catch {
      return undefined
    } finally {
      deadline.end()
    }
  }
}
