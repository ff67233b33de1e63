// Filters on IP addresses: what ansible.utils gives for the same expressions, with native types; nothing is an empty text.
import { expect, it } from 'vitest'
import { Template } from '../../src/core/value.ts'
import { here, scopeOf, templar } from './engine.ts'

const cases: readonly (readonly [string, unknown])[] = [
  ["'192.168.0.1/24' | ipaddr", '192.168.0.1/24'],
  ["'192.168.0.1' | ipaddr", '192.168.0.1'],
  ["'x' | ipaddr", false],
  ["'192.168.0.1/24' | ipaddr('address')", '192.168.0.1'],
  ["'192.168.0.1/24' | ipaddr('network')", '192.168.0.0'],
  ["'192.168.0.1/24' | ipaddr('netmask')", '255.255.255.0'],
  ["'192.168.0.1/24' | ipaddr('prefix')", 24],
  ["'192.168.0.1/24' | ipaddr('broadcast')", '192.168.0.255'],
  ["'192.168.0.1/24' | ipaddr('host')", '192.168.0.1/24'],
  ["'192.168.0.0/24' | ipaddr('net')", '192.168.0.0/24'],
  ["'192.168.0.1/24' | ipaddr('net')", ''],
  ["'192.168.0.1/24' | ipaddr('size')", 256],
  ["'192.168.0.1/24' | ipaddr('subnet')", '192.168.0.0/24'],
  ["'192.168.0.0/24' | ipaddr(1)", '192.168.0.1/24'],
  ["'192.168.0.0/24' | ipaddr('-1')", '192.168.0.255/24'],
  ["'192.168.0.5' | ipaddr('192.168.0.0/24')", '192.168.0.5'],
  ["'10.0.0.5' | ipaddr('192.168.0.0/24')", ''],
  ["'10.0.0.5' | ipaddr('bool')", true],
  ["'10.0.0.5' | ipaddr('version')", 4],
  ["['10.0.0.1','x','::1','8.8.8.8'] | ipaddr", ['10.0.0.1', '::1', '8.8.8.8']],
  ["['10.0.0.1','x','::1','8.8.8.8'] | ipv4", ['10.0.0.1', '8.8.8.8']],
  ["['10.0.0.1','x','::1','8.8.8.8'] | ipv6", ['::1']],
  ["['10.0.0.1','8.8.8.8'] | ipaddr('private')", ['10.0.0.1']],
  ["['10.0.0.1','8.8.8.8'] | ipaddr('public')", ['8.8.8.8']],
  ["'192.168.0.0/16' | ipsubnet(20)", '16'],
  ["'192.168.0.0/16' | ipsubnet(20, 1)", '192.168.16.0/20'],
  ["'192.168.0.0/16' | ipsubnet(20, -1)", '192.168.240.0/20'],
  ["'192.168.1.5' | ipmath(5)", '192.168.1.10'],
  ["'2001:db8::1' | ipmath(15)", '2001:db8::10'],
  ["'10.0.0.0/8' | nthhost(305)", '10.0.1.49'],
  ["'10.0.0.0/8' | network_in_network('10.1.0.0/16')", true],
  ["'2001:db8:0:0:1::1/64' | ipaddr('network')", '2001:db8::'],
  ["'2001:db8::1/64' | ipaddr('address')", '2001:db8::1'],
  ["'192.168.0.1/255.255.255.0' | ipaddr('prefix')", 24],
  ["'10.0.0.0/24' | ipaddr('address')", ''],
]

it.each(cases)('%s', (expression, wanted) => {
  expect(templar.render(new Template(`{{ ${expression} }}`, here), scopeOf({}))).toEqual(wanted)
})
it('says which queries there are', () => {
  expect(() =>
    templar.evaluate(new Template("'::1' | ansible.utils.ipaddr('colour')", here), scopeOf({})),
  ).toThrow("ipaddr has no query 'colour'; it has address,")
})
