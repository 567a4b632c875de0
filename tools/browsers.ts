/** Debian's browsers, and how playwright starts them. */

import type { LaunchOptions } from "playwright"

/** How a browser is started. */
export interface Launch extends LaunchOptions {
  /** The program whose presence tells that the browser is installed. */
  executablePath: string
}

export const chromium: Launch = {
  executablePath: "/usr/bin/chromium",
  // as root it needs --no-sandbox; the rest keeps it from talking to anyone but the tests
  args: [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
  ],
}

export const firefox: Launch = {
  executablePath: "/usr/bin/firefox-esr",
  // a channel makes playwright drive an unpatched Firefox, by WebDriver BiDi
  channel: "moz-firefox",
}
