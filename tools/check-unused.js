/** No file, export or dependency that nothing uses. */

import { runTool } from "./run.js"

/** @returns {Promise<string>} */
export async function check() {
  await runTool("knip", ["--no-progress"])
  return "no unused file, export or dependency"
}
