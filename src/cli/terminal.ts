/**
 * What is safe to show on a terminal: text from outside can hold sequences that move the cursor, or turn the line around.
 *
 * @module
 */

function escapeCharacter(character: string): string {
  return `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`
}

/** Shows control and formatting characters as `\u{1b}`, line breaks among them. */
export function escapeControls(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, escapeCharacter)
}

/** The same for a text of many lines: leaves tabs and line feeds as they are. */
export function escapeLines(text: string): string {
  return text.replace(/[^\P{Cc}\t\n]|[\p{Cf}\p{Zl}\p{Zp}]/gu, escapeCharacter)
}
