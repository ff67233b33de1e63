// `npm run crash`: the crash proof. Strikes a rotation at every point that it passes, recovers, and looks.
//   npm run crash                     thousands of trials over a simulated fleet, and a table
//   npm run crash -- --trials N|all   as many
//   npm run crash -- --mutants [N]    each safety rule broken once: the trials have to find every one
//   npm run crash -- --real N         trials with the built program on a real host (root on Debian; makes the lab)
//     --host container                that is the lab's production host, with a container engine and compose (default: lab)
//     --hosts N                       on so many hosts at once
//     --log FILE                      a line a trial; those that stand there are not made again
//     --fault NAME                    that fault alone (test/crash/real/real-trials.ts)
// Exit 0: everything was whole, or every mutant was found. Exit 1: not.
import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { build } from 'esbuild'
import { build as buildProgram, installDependencies, root } from './setup.mjs'

const { values } = parseArgs({
  allowPositionals: true,
  options: {
    trials: { type: 'string', default: '12000' },
    real: { type: 'string' },
    mutants: { type: 'boolean', default: false },
    only: { type: 'string' },
    host: { type: 'string' },
    hosts: { type: 'string' },
    log: { type: 'string' },
    fault: { type: 'string' },
  },
})
process.chdir(root)
installDependencies()
mkdirSync('.rota', { recursive: true })

/** Bundles a file of test/crash with the source as it is, or with one place of it changed. */
async function bundle(name, out, mutant) {
  let isChanged = mutant === undefined
  const patch = {
    name: 'mutant',
    setup(step) {
      if (mutant === undefined) return
      step.onLoad({ filter: /\/src\/.*\.ts$/ }, ({ path }) => {
        if (path !== join(root, mutant.file)) return undefined
        const parts = readFileSync(path, 'utf8').split(mutant.from)
        if (parts.length !== 2)
          throw new Error(`${mutant.file} has ${parts.length - 1} times: ${mutant.from}`)
        isChanged = true
        return { contents: parts.join(mutant.to), loader: 'ts' }
      })
    },
  }
  await build({
    entryPoints: [join('test/crash', name)],
    outfile: out,
    bundle: true,
    packages: 'external',
    format: 'esm',
    platform: 'node',
    target: 'node20.20',
    logLevel: 'warning',
    plugins: [patch],
  })
  if (!isChanged) throw new Error(`${mutant.file} is not part of the harness`)
  return out
}

function play(program, args, stdio = 'inherit') {
  return spawnSync(process.execPath, [program, ...args], { cwd: root, stdio, encoding: 'utf8' })
}

/** What says that a mutant was found, as the trials or its own test print it; `said` is all that they printed. */
async function findMutant(mutant) {
  if (mutant.test) return findByTest(mutant)
  const program = await bundle('main.ts', `.rota/crash-mutant-${process.pid}.mjs`, mutant)
  const { status, stdout, stderr } = play(program, ['--first', '--trials', values.trials], 'pipe')
  rmSync(program)
  const found = status === 1 ? stdout.split('\n').find(line => line.startsWith('NOT WHOLE')) : undefined
  return { found, said: stderr || stdout }
}

/** Runs the mutant's own test on a copy of the tree in which the rule is broken. */
function findByTest({ file, from, to, test }) {
  const copy = mkdtempSync(join(tmpdir(), 'rota-mutant-'))
  for (const name of ['src', 'test', 'package.json', 'tsconfig.json', 'vitest.config.ts'])
    cpSync(join(root, name), join(copy, name), { recursive: true })
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'))
  writeFileSync(
    join(copy, file),
    readFileSync(join(root, file), 'utf8').replace(from, () => to),
  )
  const runner = join(root, 'node_modules/vitest/vitest.mjs')
  const env = { ...process.env, NO_COLOR: '1' }
  const { stdout, stderr } = spawnSync(process.execPath, [runner, 'run', test], {
    cwd: copy,
    env,
    encoding: 'utf8',
  })
  rmSync(copy, { recursive: true })
  const lines = (stdout + stderr).split('\n')
  return { found: lines.find(line => /^ *FAIL .* > /.test(line))?.trim(), said: stdout + stderr }
}

async function playMutants() {
  const { mutants } = await import(join(root, await bundle('mutants.ts', '.rota/mutants.mjs')))
  const chosen = mutants.filter(({ rule }) => !values.only || rule.includes(values.only))
  let survivors = 0
  for (const mutant of chosen) {
    // A crash of the harness itself finds nothing.
    const { found, said } = await findMutant(mutant)
    if (found === undefined) survivors++
    console.log(
      `${found ? 'found   ' : 'SURVIVED'} ${mutant.rule}\n           ${found ?? said.trim().slice(-400)}`,
    )
  }
  console.log(`${chosen.length - survivors} of ${chosen.length} mutants found`)
  return survivors === 0 ? 0 : 1
}

if (values.mutants) process.exitCode = await playMutants()
else if (values.real) {
  buildProgram()
  const program = await bundle('real/main.ts', `.rota/crash-real-${process.pid}.mjs`)
  const { real: trials, host, hosts, log, fault } = values
  const given = Object.entries({ trials, host, hosts, log, fault }).filter(([, value]) => value)
  process.exitCode = play(
    program,
    given.flatMap(([name, value]) => [`--${name}`, value]),
  ).status
  rmSync(program)
} else {
  const trials = values.trials === 'all' ? '1000000' : values.trials
  const program = await bundle('main.ts', `.rota/crash-${process.pid}.mjs`)
  process.exitCode = play(program, ['--trials', trials]).status
  rmSync(program)
}
