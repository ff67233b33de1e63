import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable, Writable } from 'node:stream'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createRedactor, type Redactor } from '../../src/core/redact.ts'
import type { Done, Ran, Session } from '../../src/core/remote.ts'
import { sh } from '../../src/core/script.ts'
import { Secret } from '../../src/core/secret.ts'

export function ran(done: Done): Ran {
  if (done.status !== 'ran') throw new Error(`unknown: ${done.why}`)
  return done
}
export const text = (done: Done): string => ran(done).stdout.toString()

/** Files of every other process's command line and environment that hold the text. */
function findInProc(text: string): string[] {
  const pids = readdirSync('/proc').filter(name => /^[0-9]+$/.test(name) && name !== String(process.pid))
  return pids
    .flatMap(pid => [`/proc/${pid}/cmdline`, `/proc/${pid}/environ`])
    .filter(path => {
      try {
        return readFileSync(path, 'latin1').includes(text)
      } catch {
        return false
      }
    })
}
const isAlive = (pid: string): boolean => {
  try {
    process.kill(Number(pid), 0)
    return true
  } catch {
    return false
  }
}
/** Waits for a condition that another process brings about. */
export async function until(what: string, isTrue: () => boolean | Promise<boolean>): Promise<void> {
  const end = Date.now() + 20_000
  while (!(await isTrue())) {
    if (Date.now() > end) throw new Error(`never came true: ${what}`)
    await new Promise(resolve => setTimeout(resolve, 20))
  }
}
class Sink extends Writable {
  readonly chunks: Buffer[] = []
  override _write(chunk: Buffer, _: unknown, done: () => void): void {
    this.chunks.push(chunk)
    done()
  }
  get bytes(): Buffer {
    return Buffer.concat(this.chunks)
  }
}

export interface SuiteOptions {
  /** The processes of the session can be looked at from here. */
  readonly isHere?: boolean
  /** The transport does not tell that a program has ended while its pipes are held open (openssh). */
  readonly isDeafToExit?: boolean
}

/** What every session must do, whatever carries it and whichever sh runs it. */
export function testSession(
  name: string,
  open: (redactor: Redactor) => Promise<Session>,
  options: SuiteOptions = {},
): void {
  describe(name, () => {
    let session: Session
    const redactor = createRedactor()
    beforeAll(async () => {
      session = await open(redactor)
    })
    afterAll(() => session?.close())

    it('gives back exit status, both streams and values', async () => {
      const script = sh`printf '%s' "$p_a"; printf 'e\377' >&2; rt_set key "v$p_a"; rt_set empty ''; exit 7`
      expect(await session.run({ script, params: { a: 'x' } })).toEqual({
        status: 'ran',
        exit: 7,
        stdout: Buffer.from('x'),
        stderr: Buffer.from('e\xff', 'latin1'),
        values: { key: 'vx', empty: '' },
      })
    })

    it('carries any text in params and back as values', async () => {
      const script = sh`printf '%s' "$p_a"; rt_set a "$p_a"`
      const chars = fc.oneof(
        fc.constantFrom(
          "'",
          '"',
          '\n',
          '\r',
          '\\',
          '$',
          '`',
          ' ',
          '\t',
          '*',
          '~',
          '!',
          '-',
          '%',
          '\x01',
          '\x7f',
        ),
        fc.string({ unit: 'binary', minLength: 1, maxLength: 1 }).filter(c => c !== '\0'),
      )
      const any = fc.array(chars, { maxLength: 60 }).map(list => list.join('').replace(/\p{Cs}/gu, '?'))
      await fc.assert(
        fc.asyncProperty(any, async a => {
          const done = ran(await session.run({ script, params: { a } }))
          expect(done.stdout.toString()).toBe(a)
          expect(done.values['a']).toBe(a)
        }),
        { numRuns: 150 },
      )
    })

    it('carries params, stdin and values of any size', async () => {
      for (const size of [1990, 2010, 4095, 65_536, 300_000]) {
        const a = `${'é\n\'"'.repeat(size / 5)}\n\n`
        const script = sh`printf '%s' "$p_a"; rt_set a "$p_a"; cat >&2`
        const done = ran(await session.run({ script, params: { a }, stdin: a }))
        expect(done.stdout.toString() === a, `stdout, ${size}`).toBe(true)
        expect(done.stderr.toString() === a, `stdin, ${size}`).toBe(true)
        expect(done.values['a'] === a, `value, ${size}`).toBe(true)
      }
    })

    it('carries all 256 bytes in stdin and stdout', async () => {
      const bytes = Buffer.from(Array.from({ length: 1024 }, (_, i) => i % 256))
      expect(ran(await session.run({ script: sh`cat`, stdin: bytes })).stdout).toEqual(bytes)
    })

    it('shows booleans as 1 and 0, numbers as text, and leaves undefined ones unset', async () => {
      const script = sh`printf '%s,%s,%s,%s' "$p_yes" "$p_no" "$p_n" "\${p_gone-unset}"`
      await session.run({ script, params: { gone: 'was here' } })
      const params = { yes: true, no: false, n: 12, gone: undefined }
      expect(text(await session.run({ script, params }))).toBe('1,0,12,unset')
    })

    it('refuses NUL in a param by name', async () => {
      await expect(session.run({ script: sh`:`, params: { key: 'a\0b' } })).rejects.toThrow(/key holds a NUL/)
      expect(text(await session.run({ script: sh`printf fine` }))).toBe('fine')
    })

    it('stays in step when a script ignores its stdin, or reads past its end', async () => {
      const big = Buffer.alloc(500_000, 'line\n')
      for (const script of [sh`exit 4`, sh`read -r x; exit 4`, sh`cat >/dev/null; cat; exit 4`])
        expect(ran(await session.run({ script, stdin: big })).exit).toBe(4)
      expect(ran(await session.run({ script: sh`read -r x; exit $?` })).exit).toBe(1)
    })

    it('lets nothing leak from one call into the next', async () => {
      await session.run({
        script: sh`cd /; umask 077; x=1; p_y=2; trap 'echo trapped' EXIT; set -e -u -f; export x; exec 2>&1 3>/dev/null`,
      })
      const script = sh`printf '%s %s %s %s %s' "$PWD" "$x" "$p_y" "$(umask)" "$-"; printf err >&2`
      const [pwd, umask, flags] = ran(await session.run({ script }))
        .stdout.toString()
        .split(/ +/)
      expect([pwd === '/', Number(umask), /[euf]/.test(flags ?? '')]).toEqual([false, 22, false])
      expect(ran(await session.run({ script })).stderr.toString()).toBe('err')
    })

    it('runs in the C locale, and an EXIT trap of the script works', async () => {
      expect(text(await session.run({ script: sh`trap 'printf bye' EXIT; printf '%s ' "$LC_ALL"` }))).toBe(
        'C bye',
      )
    })

    it('rt_fail ends the script with 99 and its message', async () => {
      const done = ran(
        await session.run({ script: sh`rt_fail "no $p_a"; printf never`, params: { a: 'such' } }),
      )
      expect([done.exit, done.stderr.toString(), done.stdout.length]).toEqual([99, 'no such\n', 0])
    })

    it('takes a script that is not sh, and set -e, as a failure and goes on', async () => {
      expect(ran(await session.run({ script: sh`if then (` })).exit).toBeGreaterThan(0)
      expect(ran(await session.run({ script: sh`set -e; false; exit 0` })).exit).toBe(1)
      expect(text(await session.run({ script: sh`printf on` }))).toBe('on')
    })

    it('rt_set works where stdout is redirected, in a pipeline and in a substitution', async () => {
      const script = sh`
{ rt_set a 1; } >/dev/null
printf 'x\n' | while read -r l; do rt_set b "$l"; done
c=$(rt_set c 3)
printf '[%s]' "$c"`
      const done = ran(await session.run({ script }))
      expect([done.values, done.stdout.toString()]).toEqual([{ a: '1', b: 'x', c: '3' }, '[]'])
    })

    it('answers pipelined calls in order', async () => {
      const order: number[] = []
      const script = sh`printf '%s' "$p_i"`
      const calls = Array.from({ length: 40 }, async (_, i) => {
        const done = await session.run({
          script,
          params: { i },
          ...(i % 3 === 0 && { stdin: 'x'.repeat(i * 100) }),
        })
        order.push(i)
        return text(done)
      })
      expect(await Promise.all(calls)).toEqual(Array.from({ length: 40 }, (_, i) => String(i)))
      expect(order).toEqual([...order].sort((a, b) => a - b))
    })

    it('shows live text redacted, even when a secret comes in pieces', async () => {
      const secret = new Secret('hunter2-hunter2', 'PW')
      redactor.add(secret)
      const seen: string[] = []
      const script = sh`printf 'a %.7s' "$p_s"; sleep 0.1 2>/dev/null || sleep 1; printf '%s z' "\${p_s#hunter2}"; echo e >&2`
      const done = await session.run({
        script,
        params: { s: secret },
        onText: (part, stream) => seen.push(`${stream}:${part}`),
      })
      const all = (stream: string): string =>
        seen.flatMap(s => (s.startsWith(stream) ? [s.slice(stream.length + 1)] : [])).join('')
      expect([all('stdout'), all('stderr')]).toEqual(['a [secret PW] z', 'e\n'])
      expect(text(done)).toBe('a hunter2-hunter2 z')
    })

    it('does not wait for what a script leaves in the background', async () => {
      const done = ran(await session.run({ script: sh`sleep 300 & printf '%s' "$!"` }))
      expect(
        text(
          await session.run({
            script: sh`kill "$p_pid" && printf killed`,
            params: { pid: done.stdout.toString() },
          }),
        ),
      ).toBe('killed')
    })

    it.skipIf(options.isDeafToExit)(
      'a call that kills the shell is unknown, ends there, and those behind it run on a new shell',
      async () => {
        let pid = ''
        const results = await Promise.all([
          session.run({ script: sh`printf first` }),
          session.run({
            script: sh`sleep 300 & printf '%s' $!; kill -KILL $$; wait`,
            onText: part => {
              pid += part
            },
          }),
          session.run({ script: sh`printf third` }),
        ])
        expect([text(results[0]), results[1].status, text(results[2])]).toEqual(['first', 'unknown', 'third'])
        const script = sh`kill -0 "$p_pid" 2>/dev/null && printf alive; :`
        expect(pid).toMatch(/^[0-9]+$/)
        await until('it is gone', async () => text(await session.run({ script, params: { pid } })) === '')
      },
    )

    it('a timeout is unknown, kills the whole group, and the session goes on', async () => {
      const pids: string[] = []
      const script = sh`sleep 301 & (trap '' TERM; sleep 302 & printf '%s %s ' $! $$; wait; sleep 303) & printf '%s ' $!; wait`
      const slow = session.run({
        script,
        timeoutMs: 500,
        onText: part => pids.push(part),
      })
      const next = session.run({ script: sh`printf next`, timeoutMs: 20_000 })
      expect(await slow).toEqual({ status: 'unknown', why: expect.stringMatching(/within 0.5 s.*killed/) })
      // ssh does not tell a killed shell from a lost link, so there the call behind is unknown, too.
      if (options.isDeafToExit) expect((await next).status).toBe('unknown')
      else expect(text(await next)).toBe('next')
      const found = pids.join('').trim().split(' ')
      expect(found.length).toBe(3)
      if (options.isHere) await until('all are gone', () => !found.some(isAlive))
      const alive = sh`for p in $p_pids; do kill -0 "$p" 2>/dev/null && printf '%s ' "$p"; done; :`
      await until(
        'all are gone',
        async () => text(await session.run({ script: alive, params: { pids: found.join(' ') } })) === '',
      )
    })

    it('pipes bytes of any size both ways and knows the exit status', async () => {
      const size = 6_000_000
      const block = Buffer.from(Array.from({ length: 60_000 }, (_, i) => (i * 7) % 256))
      const input = Readable.from(Array.from({ length: size / block.length }, () => block))
      const sink = new Sink()
      const done = await session.pipe(
        { script: sh`cat; rt_set n "$p_n"; printf err >&2; exit 5`, params: { n: 'v' } },
        { stdin: input, stdout: sink },
      )
      expect(done).toEqual({
        status: 'ran',
        exit: 5,
        stdout: Buffer.alloc(0),
        stderr: Buffer.from('err'),
        values: { n: 'v' },
      })
      expect(sink.bytes.length).toBe(size)
      expect(sink.bytes.subarray(-60_000).equals(block)).toBe(true)
      expect(sink.writableFinished).toBe(true)
    })

    it('a pipe without ends, with a script that does not read, and with one that is killed', async () => {
      expect(ran(await session.pipe({ script: sh`cat; exit 2` }, {})).exit).toBe(2)
      const endless = new Readable({
        read: function read() {
          this.push(Buffer.alloc(65_536))
        },
      })
      expect(ran(await session.pipe({ script: sh`exit 3` }, { stdin: endless })).exit).toBe(3)
      const sink = new Sink()
      const done = await session.pipe({ script: sh`printf part; kill -KILL $$` }, { stdout: sink })
      expect([done.status, sink.destroyed, sink.writableFinished]).toEqual(['unknown', true, false])
    })

    it('a pipe that runs out of time is unknown', async () => {
      const done = await session.pipe({ script: sh`sleep 300`, timeoutMs: 500 }, {})
      expect(done.status).toBe('unknown')
    })

    it('a local stream that fails kills the script before it could see an end', async () => {
      const broken = Readable.from(
        (async function* parts() {
          yield Buffer.from('half')
          throw new Error('disk gone')
        })(),
      )
      const script = sh`printf '%s ' $$ >"$p_log"; cat >/dev/null; printf finished >>"$p_log"`
      const log = `/tmp/rota-pipe-${process.pid}-${Math.random().toString(36).slice(2)}`
      await expect(session.pipe({ script, params: { log } }, { stdin: broken })).rejects.toThrow('disk gone')
      expect(
        text(await session.run({ script: sh`cat "$p_log"; rm -f "$p_log"`, params: { log } })),
      ).not.toContain('finished')
      const full = new Writable({ write: (_c, _e, done) => done(new Error('disk full')) })
      await expect(session.pipe({ script: sh`printf x; cat /dev/zero` }, { stdout: full })).rejects.toThrow(
        'disk full',
      )
    })

    it.runIf(options.isHere)('keeps secrets out of every command line and environment', async () => {
      const random = (): string => `canary-${Math.random().toString(36).slice(2)}`
      const [short, long] = [random(), random() + 'x'.repeat(3000)]
      const script = sh`env; printf '%s' "$p_a$p_b" >/dev/null; cat >/dev/null; (sleep 30 & printf 'pid=%s %0200d\n' $! 0); read -r x <"$p_fifo"`
      const fifo = join(tmpdir(), `rota-fifo-${process.pid}-${Math.random().toString(36).slice(2)}`)
      await session.run({ script: sh`mkfifo "$p_fifo"`, params: { fifo } })
      let out = ''
      const busy = session.run({
        script,
        params: { a: new Secret(short, 'A'), b: new Secret(long, 'B'), fifo },
        stdin: new Secret(long, 'B'),
        onText: part => {
          out += part
        },
      })
      await until('the script runs', () => out.includes('pid='))
      expect([...findInProc(short), ...findInProc(long.slice(0, 30))]).toEqual([])
      expect(out).not.toContain('canary-')
      writeFileSync(fifo, 'go\n')
      expect(ran(await busy).exit).toBe(0)
      const pid = /pid=([0-9]+)/.exec(out)![1]!
      await session.run({ script: sh`kill "$p_pid"; rm -f "$p_fifo"`, params: { pid, fifo } })
    })

    it('closing with a call in flight ends it as unknown', async () => {
      const other = await open(redactor)
      const busy = other.run({ script: sh`sleep 300` })
      await other.close()
      expect((await busy).status).toBe('unknown')
      await expect(other.run({ script: sh`:` })).rejects.toThrow(/closed/)
    })
  })
}
