/**
 * Temporary files of a whole run: in one folder, which goes when the run ends, whatever its tests leave in it and however it ends.
 *
 * @module
 */

import { chmodSync, mkdtempSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

import { whenGone } from "./when-gone.ts"

/** Called by vitest before its first worker; what it gives, after the last one. */
export function setup(): () => Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "sealwire-test-"))
  // Postgres, which is nobody here, goes through it to a folder of its own
  chmodSync(folder, 0o711)
  process.env["TMPDIR"] = folder
  // again, because of workers and servers that end a moment later
  const clearing = whenGone(
    'for _ in 1 2 3 4 5; do rm -rf "$1" && [ ! -e "$1" ] && break; sleep 1; done',
    folder,
  )
  return () => clearing.now()
}
