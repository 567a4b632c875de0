/** What session-victim.ts and whoever starts it agree on. */

export const VICTIM_ORIGIN = "https://victim.example.com"
