/** The demo as a stranger uses it: `npm run demo` in one window, its page in another. */

import type { Page } from "playwright"
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest"

import { inBrowsers } from "../support/pages.ts"
import { type Started, startProgram } from "../support/started.ts"

/** Time enough to click, and not long to wait for. */
const MAX_AGE_SECONDS = 10

let demo: Started
let origin: string

beforeAll(async () => {
  demo = await startProgram([process.execPath, "demo/main.js", "--max-age", String(MAX_AGE_SECONDS)], 2)
  origin = demo.lines[0]?.replace("ready ", "") ?? ""
})

test("the demo says where it listens, and whom to trust", async () => {
  const [ready, about] = demo.lines
  expect(ready).toMatch(/^ready http:\/\/127\.0\.0\.1:\d+$/)
  expect(JSON.parse(about ?? "")).toEqual({
    identity: expect.stringMatching(/^[\w-]{43}$/),
    directory: `${origin}/.well-known/sealwire`,
  })
})

inBrowsers(["Chromium", "Firefox"], (openPage) => {
  let page: Page
  let troubles: string[]

  beforeEach(async () => {
    page = await openPage()
    troubles = []
    page.on("pageerror", (error) => troubles.push(String(error)))
    page.on("console", (message) => {
      // a browser reports each refusal as a resource that failed to load
      if (message.type() === "error" && !/Failed to load resource/.test(message.text()))
        troubles.push(message.text())
    })
    await page.goto(origin)
    return async () => {
      expect(troubles).toEqual([])
      await page.close()
    }
  })

  const status = (text: string | RegExp): Promise<void> =>
    page.locator("#status").filter({ hasText: text }).waitFor()
  const account = async (): Promise<string> =>
    (await page.locator("#account").innerText()).replaceAll(/\s+/g, " ")

  async function send(): Promise<void> {
    await page.getByRole("button", { name: "Send it sealed" }).click()
    await status(/Transfer \d+ is booked/)
  }

  /** Clicks a button of the attacks, and gives what it came to. */
  async function attack(button: string, name: string): Promise<string> {
    await page.getByRole("button", { name: button }).click()
    const outcome = page.locator(`#outcomes [data-attack=${name}]`)
    await outcome.waitFor()
    return outcome.innerText()
  }

  test("a transfer is sent, hidden from the way, and answered", async () => {
    await page.getByLabel("To").fill("Björk & Søn")
    await page.getByLabel("Amount in euro").fill("12,34")
    await send()
    const request = await page.getByRole("region", { name: "The request, as bytes" }).innerText()
    expect(request).toMatch(/POST \/transfers\s+content-type: application\/jose\s+[\w-]+(?:\.[\w-]+){4}$/)
    const answer = await page.getByRole("region", { name: "The answer, as bytes" }).innerText()
    expect(answer).toMatch(/^201[^]*application\/jose[^]*[\w-]+(?:\.[\w-]*){4}$/)
    expect(request + answer).not.toMatch(/Björk|1234|Rent/)
    const reply = page.getByRole("region", { name: "The reply’s content" })
    expect(JSON.parse(await reply.innerText())).toMatchObject({ to: "Björk & Søn", cents: 1234 })
  })

  test("a copy and a change are refused, and book nothing", async () => {
    await send()
    const before = await account()
    expect(await attack("Replay it", "replay")).toMatch(
      /The copy was refused[^]*409[^]*replayed[^]*unchanged/,
    )
    expect(await attack("Tamper with it", "tamper")).toMatch(
      /The changed message was refused[^]*400, \{"type":"about:blank"[^]*ERR_OPEN_FAILED[^]*unchanged/,
    )
    expect(await account()).toBe(before)
  })

  test("an order that was held back is refused once it is too old, and books nothing", async () => {
    await send()
    const before = await account()
    await page.getByRole("button", { name: "Delay it" }).click()
    await page.locator("#countdown").filter({ hasText: "s to go" }).waitFor()
    // the rest of the page goes on meanwhile
    await page.getByRole("button", { name: "Read it again" }).click()
    await status("The account was read")
    await page.locator("#outcomes [data-attack=delay]").waitFor({ timeout: (MAX_AGE_SECONDS + 30) * 1000 })
    const outcome = await page.locator("#outcomes [data-attack=delay]").innerText()
    expect(outcome).toMatch(/The delayed order was refused[^]*400[^]*stale[^]*unchanged/)
    expect(await account()).toBe(before)
  })

  test("an order whose answer was lost is booked once", async () => {
    await send()
    expect(await attack("Lose the answer", "lose")).toMatch(
      /booked once[^]*second attempt[^]*answered[^]*repeated/,
    )
  })

  test("all of it works by keyboard, and says how it ended", async () => {
    await page.getByLabel("To").focus()
    await page.keyboard.press("Enter")
    await status(/is booked/)
    const reached = []
    for (let i = 0; i < 12; i++) {
      await page.keyboard.press("Tab")
      const id = await page.evaluate(() => document.activeElement?.id ?? "")
      if (id) reached.push(id)
      if (id === "replay") break
    }
    expect(reached).toEqual(["amount", "reference", "send", "refresh", "replay"])
    await page.keyboard.press("Enter")
    await status("The copy was refused")
    expect(await page.evaluate(() => document.activeElement?.id)).toBe("replay")
  })
})

describe("the page", () => {
  inBrowsers(["Chromium"], (openPage) => {
    test("fits a phone, and its fields have names", async () => {
      const page = await openPage({ width: 360 })
      await page.goto(origin)
      await page.getByRole("button", { name: "Send it sealed" }).click()
      await page.locator("#status").filter({ hasText: "is booked" }).waitFor()
      expect(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)).toBe(0)
      const unnamed = page.locator("input:not([id]), button:empty")
      expect(await unnamed.count()).toBe(0)
      await page.close()
    })
  })
})

afterAll(async () => {
  expect(await demo.end()).toBe(0)
})
