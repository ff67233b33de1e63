// A terminal that is closed while a playbook runs: python3 has the pseudo-terminal, and closes it as a window is closed.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { expect, it } from 'vitest'

const terminal = `
import os, pty, signal, sys, time
child, window = pty.fork()
if child == 0:
    os.execv(sys.argv[1], sys.argv[1:])
while not os.path.exists('begun'):
    time.sleep(0.05)
    os.set_blocking(window, False)
    try: os.read(window, 65536)
    except BlockingIOError: pass
os.close(window)
time.sleep(0.2)
os.kill(child, signal.SIGHUP)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
`

it('stops cleanly, though the shell says it once more, and ends with its own exit code', () => {
  const folder = mkdtempSync(join(tmpdir(), 'rota-hangup-'))
  writeFileSync(
    join(folder, 'p.yml'),
    '- hosts: localhost\n  gather_facts: false\n  tasks:\n    - shell: touch begun; sleep 1; touch ended\n    - shell: touch later\n',
  )
  const rota = resolve(import.meta.dirname, '../../dist/rota.mjs')
  const { stdout, stderr } = spawnSync(
    'python3',
    ['-c', terminal, process.execPath, rota, 'run', join(folder, 'p.yml')],
    { cwd: folder, encoding: 'utf8', env: { ...process.env, HOME: folder } },
  )
  expect([stdout, stderr]).toEqual(['130\n', ''])
  const files = readdirSync(folder).filter(name => !name.startsWith('.'))
  rmSync(folder, { recursive: true })
  expect(files.sort()).toEqual(['begun', 'ended', 'p.yml'])
})
