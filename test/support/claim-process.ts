/**
 * The inner side of claim-processes.ts: what each process runs.
 *
 * @module
 */

import { createReplayGuard } from "../../src/replay/guard.ts"
import type { ReplayStore } from "../../src/replay/store.ts"

/** What the parent asks for: to admit each id that many times, all at once. */
export interface Task {
  readonly ids: readonly string[]
  readonly copies: number
  readonly issuedAtSeconds: number
}

/** Admits what the parent asks for, and says how often each id was accepted. Ends with the parent. */
export function serveClaims(store: ReplayStore): void {
  const replay = createReplayGuard({ store, storeTimeoutMs: 60_000 })
  async function admit(claimId: string, issuedAtSeconds: number): Promise<boolean> {
    try {
      await replay.admit({ claimId, issuedAtSeconds, nowMs: replay.now(), keyMadeAtMs: undefined })
      return true
    } catch (error) {
      if ((error as { code?: string }).code === "ERR_REPLAYED") return false
      throw error
    }
  }
  async function answer({ ids, copies, issuedAtSeconds }: Task): Promise<void> {
    const accepted = new Array<number>(ids.length).fill(0)
    const all = Array.from({ length: copies }, () =>
      ids.map(async (id, i) => {
        if (await admit(id, issuedAtSeconds)) accepted[i] = (accepted[i] ?? 0) + 1
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
