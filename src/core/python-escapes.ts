/** What the letter after a backslash stands for in Python's texts (docs.python.org, "Escape sequences"), numbers left out. */
export const pythonEscapes: Readonly<Record<string, string>> = {
  a: '\x07',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
  '\\': '\\',
}
