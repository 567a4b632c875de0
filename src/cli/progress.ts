/**
 * How far a long work is: one line on a terminal, rewritten. Nothing where standard error is no terminal.
 *
 * @module
 */

const REDRAW_MS = 200
const BAR_CHARACTERS = 24
const UNITS = ["B", "kB", "MB", "GB", "TB", "PB"]

/** A number of bytes in at most three digits and a unit. */
export function formatBytes(bytes: number): string {
  let unit = 0
  let value = bytes
  for (; value >= 999.5 && unit < UNITS.length - 1; unit++) value /= 1000
  return `${value.toFixed(unit === 0 || value >= 99.95 ? 0 : 1)} ${UNITS[unit] ?? ""}`
}

/** The line: a bar and a percentage where the total is known, then bytes and rate. */
export function progressLine(bytes: number, totalBytes: number | undefined, elapsedMs: number): string {
  const rate = `${formatBytes(bytes / Math.max(elapsedMs / 1000, 0.001))}/s`
  if (totalBytes === undefined) return `${formatBytes(bytes)}  ${rate}`
  const part = totalBytes === 0 ? 1 : Math.min(bytes / totalBytes, 1)
  const full = Math.round(part * BAR_CHARACTERS)
  const bar = "#".repeat(full) + ".".repeat(BAR_CHARACTERS - full)
  return `[${bar}] ${Math.floor(part * 100)}%  ${formatBytes(bytes)} of ${formatBytes(totalBytes)}  ${rate}`
}

/** A terminal, as far as it is written. */
export interface Terminal {
  readonly isTTY?: boolean
  write(text: string): unknown
}

/** Shows progress on a terminal. */
export interface Progress {
  update(bytes: number): void
  /** Leaves the last line as it is, or takes it away after a failure. */
  end(succeeded: boolean): void
}

/** Starts to show progress; does nothing where `terminal` is none. */
export function showProgress(
  totalBytes: number | undefined,
  terminal: Terminal = process.stderr,
  now: () => number = () => performance.now(),
): Progress {
  if (terminal.isTTY !== true) return { update: () => undefined, end: () => undefined }
  const startedMs = now()
  let drawnMs = startedMs
  let last = 0
  const draw = (): void => {
    terminal.write(`\r\u001b[2K${progressLine(last, totalBytes, now() - startedMs)}`)
  }
  return {
    update(bytes) {
      last = bytes
      if (now() - drawnMs < REDRAW_MS) return
      drawnMs = now()
      draw()
    },
    end(succeeded) {
      if (succeeded) draw()
      terminal.write(succeeded ? "\n" : "\r\u001b[2K")
    },
  }
}
