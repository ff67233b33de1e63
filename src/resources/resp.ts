import type { Duplex } from 'node:stream'

/** What a server answers (RESP2, redis.io/docs/reference/protocol-spec). */
export type Reply =
  | { readonly kind: 'error'; readonly text: string }
  | { readonly kind: 'value'; readonly value: string | number | null }
  | { readonly kind: 'list'; readonly items: readonly Reply[] }

/** A command as the protocol has it: the number of words, and each with its length in bytes. */
export function renderCommand(words: readonly string[]): Buffer {
  const parts = words.map(word => {
    const bytes = Buffer.from(word)
    return Buffer.concat([Buffer.from(`$${bytes.length}\r\n`), bytes, Buffer.from('\r\n')])
  })
  return Buffer.concat([Buffer.from(`*${words.length}\r\n`), ...parts])
}

interface Parsed {
  readonly reply: Reply
  readonly end: number
}

/** The reply that begins at `start`; undefined while it is not whole. Throws for what is no RESP. */
export function parseReply(bytes: Buffer, start: number): Parsed | undefined {
  const lineEnd = bytes.indexOf('\r\n', start)
  if (lineEnd < 0) return undefined
  const line = bytes.toString('utf8', start + 1, lineEnd)
  const end = lineEnd + 2
  switch (String.fromCharCode(bytes[start]!)) {
    case '+':
      return { reply: { kind: 'value', value: line }, end }
    case '-':
      return { reply: { kind: 'error', text: line }, end }
    case ':':
      return { reply: { kind: 'value', value: Number(line) }, end }
    case '$': {
      const size = Number(line)
      if (size < 0) return { reply: { kind: 'value', value: null }, end }
      if (bytes.length < end + size + 2) return undefined
      return { reply: { kind: 'value', value: bytes.toString('utf8', end, end + size) }, end: end + size + 2 }
    }
    case '*':
      return parseList(bytes, end, Number(line))
    default:
      throw new Error('the server does not speak the Redis protocol')
  }
}

function parseList(bytes: Buffer, start: number, size: number): Parsed | undefined {
  const items: Reply[] = []
  let end = start
  for (let i = 0; i < size; i++) {
    const item = parseReply(bytes, end)
    if (item === undefined) return undefined
    items.push(item.reply)
    end = item.end
  }
  return { reply: { kind: 'list', items }, end }
}

/** Sends the commands at once and waits for as many replies. Rejects when the connection ends before or says nothing for so long. */
export function converse(
  channel: Duplex,
  commands: readonly (readonly string[])[],
  timeoutMs: number,
): Promise<readonly Reply[]> {
  return new Promise((resolve, reject) => {
    const replies: Reply[] = []
    let held = Buffer.alloc(0)
    const timer = setTimeout(() => fail(new Error(`no answer within ${timeoutMs / 1000} s`)), timeoutMs)
    const fail = (error: Error): void => {
      clearTimeout(timer)
      reject(error)
    }
    channel.on('error', fail)
    channel.on('close', () => fail(new Error('the connection was closed')))
    channel.on('data', (chunk: Buffer) => {
      held = Buffer.concat([held, chunk])
      try {
        for (
          let one = parseReply(held, 0);
          one !== undefined;
          one = held.length > 0 ? parseReply(held, 0) : undefined
        ) {
          replies.push(one.reply)
          held = held.subarray(one.end)
        }
      } catch (error) {
        fail(error as Error)
        return
      }
      if (replies.length < commands.length) return
      clearTimeout(timer)
      resolve(replies)
    })
    channel.write(Buffer.concat(commands.map(renderCommand)))
  })
}
