// Made by `npm run gen` from the files of this folder.
import type { Module } from '../core/module.ts'
import { age_file } from './age-file.ts'
import { age_find } from './age-find.ts'
import { age_keygen } from './age-keygen.ts'
import { apk } from './apk.ts'
import { aptKey } from './apt-key.ts'
import { aptRepository } from './apt-repository.ts'
import { apt } from './apt.ts'
import { archive } from './archive.ts'
import { assemble } from './assemble.ts'
import { assert } from './assert.ts'
import { asyncStatus } from './async-status.ts'
import { authorizedKey } from './authorized-key.ts'
import { backup } from './backup.ts'
import { blockinfile } from './blockinfile.ts'
import { command } from './command.ts'
import { composeStack } from './compose-stack.ts'
import { copy } from './copy.ts'
import { cron } from './cron.ts'
import { deb822Repository } from './deb822-repository.ts'
import { debconf } from './debconf.ts'
import { debug } from './debug.ts'
import { dnf, yum } from './dnf.ts'
import { dockerComposeV2 } from './docker-compose-v2.ts'
import { dockerContainerExec, dockerExec } from './docker-container-exec.ts'
import { dockerContainer } from './docker-container.ts'
import { dpkgSelections } from './dpkg-selections.ts'
import { env_file } from './env-file.ts'
import { env_read } from './env-read.ts'
import { expect } from './expect.ts'
import { fail } from './fail.ts'
import { fetch } from './fetch.ts'
import { file } from './file.ts'
import { find } from './find.ts'
import { gatherFactsModule } from './gather-facts.ts'
import { getUrl } from './get-url.ts'
import { getent } from './getent.ts'
import { git } from './git.ts'
import { group } from './group.ts'
import { hostname } from './hostname.ts'
import { iniFile } from './ini-file.ts'
import { iptables } from './iptables.ts'
import { knownHosts } from './known-hosts.ts'
import { lineinfile } from './lineinfile.ts'
import { mount } from './mount.ts'
import { mysqlDb } from './mysql-db.ts'
import { mysqlUser } from './mysql-user.ts'
import { npm } from './npm.ts'
import { packageFacts } from './package-facts.ts'
import { packageModule } from './package.ts'
import { pause } from './pause.ts'
import { ping } from './ping.ts'
import { pip } from './pip.ts'
import { postgresqlDb } from './postgresql-db.ts'
import { postgresqlDump } from './postgresql-dump.ts'
import { postgresqlQuery } from './postgresql-query.ts'
import { postgresqlRestore } from './postgresql-restore.ts'
import { postgresqlUser } from './postgresql-user.ts'
import { processEnv } from './process-env.ts'
import { proxmox_token } from './proxmox-token.ts'
import { raw } from './raw.ts'
import { reboot } from './reboot.ts'
import { redisUser } from './redis-user.ts'
import { redis } from './redis.ts'
import { replace } from './replace.ts'
import { script } from './script.ts'
import { secret_copies } from './secret-copies.ts'
import { serviceFacts } from './service-facts.ts'
import { service } from './service.ts'
import { setFact } from './set-fact.ts'
import { setStats } from './set-stats.ts'
import { setup } from './setup.ts'
import { shell } from './shell.ts'
import { slurp } from './slurp.ts'
import { smtp_login } from './smtp-login.ts'
import { stat } from './stat.ts'
import { synchronize } from './synchronize.ts'
import { sysctl } from './sysctl.ts'
import { systemd, systemdService } from './systemd.ts'
import { tempfile } from './tempfile.ts'
import { template } from './template.ts'
import { unarchive } from './unarchive.ts'
import { uri } from './uri.ts'
import { user } from './user.ts'
import { validateArgumentSpec } from './validate-argument-spec.ts'
import { verify_http } from './verify-http.ts'
import { verify_postgresql } from './verify-postgresql.ts'
import { waitForConnection } from './wait-for-connection.ts'
import { waitFor } from './wait-for.ts'

export const modules: readonly Module[] = [
  age_file,
  age_find,
  age_keygen,
  apk,
  apt,
  aptKey,
  aptRepository,
  archive,
  assemble,
  assert,
  asyncStatus,
  authorizedKey,
  backup,
  blockinfile,
  command,
  composeStack,
  copy,
  cron,
  deb822Repository,
  debconf,
  debug,
  dnf,
  dockerComposeV2,
  dockerContainer,
  dockerContainerExec,
  dockerExec,
  dpkgSelections,
  env_file,
  env_read,
  expect,
  fail,
  fetch,
  file,
  find,
  gatherFactsModule,
  getUrl,
  getent,
  git,
  group,
  hostname,
  iniFile,
  iptables,
  knownHosts,
  lineinfile,
  mount,
  mysqlDb,
  mysqlUser,
  npm,
  packageFacts,
  packageModule,
  pause,
  ping,
  pip,
  postgresqlDb,
  postgresqlDump,
  postgresqlQuery,
  postgresqlRestore,
  postgresqlUser,
  processEnv,
  proxmox_token,
  raw,
  reboot,
  redis,
  redisUser,
  replace,
  script,
  secret_copies,
  service,
  serviceFacts,
  setFact,
  setStats,
  setup,
  shell,
  slurp,
  smtp_login,
  stat,
  synchronize,
  sysctl,
  systemd,
  systemdService,
  tempfile,
  template,
  unarchive,
  uri,
  user,
  validateArgumentSpec,
  verify_http,
  verify_postgresql,
  waitFor,
  waitForConnection,
  yum,
]
