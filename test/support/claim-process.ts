/**
 * The inner side of claim-processes.ts: what each process runs.
 *
 * @module
 */

import { open } from "../../src/envelope/open.ts"
import { importPrivateKey } from "../../src/keys/recipient.ts"
import { createReplayGuard, type ReplayGuard } from "../../src/replay/guard.ts"
import type { ReplayStore } from "../../src/replay/store.ts"

/** What the parent asks for: to take each item that many times, all at once. */
export interface Task {
  /** Ids that the guard is to admit, or envelopes to open. */
  readonly items: readonly string[]
  readonly copies: number
  readonly issuedAtSeconds: number
  /** PEM; with it the items are envelopes. */
  readonly privateKey?: string
}

/** Takes one item; rejects when it is refused. */
type Take = (item: string) => Promise<unknown>

async function takerFor(replay: ReplayGuard, { issuedAtSeconds, privateKey }: Task): Promise<Take> {
  if (privateKey === undefined) {
    return (claimId) =>
      replay.admit({ claimId, issuedAtSeconds, nowMs: replay.now(), keyMadeAtMs: undefined })
  }
  const key = await importPrivateKey(privateKey)
  return (envelope) => open(envelope, { with: key, replay })
}

async function isAccepted(taken: Promise<unknown>): Promise<boolean> {
  try {
    await taken
    return true
  } catch (error) {
    if ((error as { code?: string }).code === "ERR_REPLAYED") return false
    throw error
  }
}

/** Does what the parent asks for, and says how often each item was accepted. Ends with the parent. */
export function serveClaims(store: ReplayStore): void {
  const replay = createReplayGuard({ store, storeTimeoutMs: 60_000 })
  async function answer(task: Task): Promise<void> {
    const take = await takerFor(replay, task)
    const accepted = new Array<number>(task.items.length).fill(0)
    const all = Array.from({ length: task.copies }, () =>
      task.items.map(async (item, i) => {
        if (await isAccepted(take(item))) accepted[i] = (accepted[i] ?? 0) + 1
      }),
    )
    await Promise.all(all.flat())
    process.send?.(accepted)
  }
  process.on("message", (task: Task) => {
    answer(task).catch((error: unknown) => {
      console.error(error)
      process.exit(1)
    })
  })
  process.on("disconnect", () => process.exit(0))
  process.send?.("ready")
}
