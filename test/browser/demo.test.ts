/** The demo as a stranger uses it: `npm run demo` in one window, its page in another. */

import type { Page } from "playwright"
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest"

import { inBrowsers } from "../support/pages.ts"
import { type Started, startProgram } from "../support/started.ts"

/** Not long to wait for. */
const SHORT_SECONDS = 8

/** One whose messages live for as long as a busy machine takes to click, and one whose messages are soon too old. */
let demo: Started
let hasty: Started
let origin: string

const start = (maxAgeSeconds: number): Promise<Started> =>
  startProgram([process.execPath, "demo/main.js", "--max-age", String(maxAgeSeconds)], 2)

const originOf = ({ lines }: Started): string => lines[0]?.replace("ready ", "") ?? ""

beforeAll(async () => {
  ;[demo, hasty] = await Promise.all([start(600), start(SHORT_SECONDS)])
  origin = originOf(demo)
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
      if (message.type() === "error" && !message.text().includes("Failed to load resource"))
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

  /** What an attack came to, as the page tells it: a title, and facts by their terms. */
  async function outcomeOf(name: string): Promise<Record<string, string>> {
    const shown = page.locator(`#outcomes [data-attack=${name}]`)
    await shown.waitFor({ timeout: (SHORT_SECONDS + 60) * 1000 })
    const terms = await shown.locator("dt").allInnerTexts()
    const facts = await shown.locator("dd").allInnerTexts()
    const title = await shown.getByRole("heading").innerText()
    return { title, ...Object.fromEntries(terms.map((term, i) => [term, facts[i] ?? ""])) }
  }

  async function attack(button: string, name: string): Promise<Record<string, string>> {
    await page.getByRole("button", { name: button }).click()
    return outcomeOf(name)
  }

  const starting = (text: string): unknown => expect.stringMatching(new RegExp(`^${text}`))

  test("a transfer is sent, hidden from the way, and answered", async () => {
    await page.getByLabel("To").fill("Björk & Søn")
    await page.getByLabel("Amount in euro").fill("12,34")
    await send()
    const request = await page.getByRole("region", { name: "The request, as bytes" }).innerText()
    const answer = await page.getByRole("region", { name: "The answer, as bytes" }).innerText()
    expect(request.split("\n")).toEqual([
      "POST /transfers",
      "content-type: application/jose",
      "",
      expect.stringMatching(/^[\w-]+(?:\.[\w-]+){4}$/),
    ])
    expect(answer.split("\n").at(-1)).toMatch(/^[\w-]+\.\.[\w-]+(?:\.[\w-]+){2}$/)
    expect(request + answer).not.toMatch(/Björk|1234|Rent/)
    const reply = page.getByRole("region", { name: "The reply’s content" })
    expect(JSON.parse(await reply.innerText())).toMatchObject({ to: "Björk & Søn", cents: 1234 })
  })

  test("a copy and a change are refused, and book nothing", async () => {
    await send()
    const before = await account()
    expect(await attack("Replay it", "replay")).toEqual({
      title: "The copy was refused",
      "You got": starting("409, .* that only the sender can open"),
      "Server’s log": starting("replayed"),
      Account: starting("unchanged"),
    })
    expect(await attack("Tamper with it", "tamper")).toEqual({
      title: "The changed message was refused",
      "You got": '400, {"type":"about:blank","title":"Bad Request","status":400}',
      "Server’s log": starting("ERR_OPEN_FAILED"),
      Account: starting("unchanged"),
    })
    expect(await account()).toBe(before)
  })

  test("an order that was held back is refused once it is too old, and books nothing", async () => {
    await page.goto(originOf(hasty))
    await send()
    const before = await account()
    await page.getByRole("button", { name: "Delay it" }).click()
    await page.locator("#countdown").filter({ hasText: "s to go" }).waitFor()
    // the rest of the page goes on meanwhile
    await page.getByRole("button", { name: "Read it again" }).click()
    await status("The account was read")
    expect(await outcomeOf("delay")).toEqual({
      title: "The delayed order was refused",
      "You got": starting("400, .* that only the sender can open"),
      "Server’s log": starting("stale"),
      Account: starting("unchanged"),
    })
    expect(await account()).toBe(before)
  })

  test("an order whose answer was lost is booked once", async () => {
    await send()
    expect(await attack("Lose the answer", "lose")).toMatchObject({
      title: "The order was booked once, and its answer came at last",
      "Server’s log": starting("answered: .*; repeated: "),
    })
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
  expect([await demo.end(), await hasty.end()]).toEqual([0, 0])
})
