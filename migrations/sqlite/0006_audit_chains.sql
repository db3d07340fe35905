-- 0006_audit_chains.sql: rows of the audit log are chained for each organization; revisions keep their reason and what changed.
-- disable the enforcement of foreign-keys constraints
PRAGMA foreign_keys = off;
-- create "new_revisions" table
CREATE TABLE `new_revisions` (`id` integer NOT NULL PRIMARY KEY AUTOINCREMENT, `number` integer NOT NULL, `digest` text NOT NULL, `body` blob NOT NULL, `created_at` datetime NOT NULL, `created_by` text NOT NULL, `reason` text NOT NULL DEFAULT (''), `changes` text NOT NULL DEFAULT (''), `workspace_id` text NOT NULL, CONSTRAINT `revisions_workspaces_workspace` FOREIGN KEY (`workspace_id`) REFERENCES `workspaces` (`id`) ON DELETE CASCADE, CONSTRAINT `revisions_digest` CHECK (length(digest) = 64), CONSTRAINT `revisions_number` CHECK (number > 0));
-- copy rows from old table "revisions" to new temporary table "new_revisions"
INSERT INTO `new_revisions` (`id`, `number`, `digest`, `body`, `created_at`, `created_by`, `workspace_id`) SELECT `id`, `number`, `digest`, `body`, `created_at`, `created_by`, `workspace_id` FROM `revisions`;
-- drop "revisions" table after copying rows
DROP TABLE `revisions`;
-- rename temporary table "new_revisions" to "revisions"
ALTER TABLE `new_revisions` RENAME TO `revisions`;
-- create index "revision_workspace_id_number" to table: "revisions"
CREATE UNIQUE INDEX `revision_workspace_id_number` ON `revisions` (`workspace_id`, `number`);
-- create "new_audit" table
CREATE TABLE `new_audit` (`id` integer NOT NULL PRIMARY KEY AUTOINCREMENT, `at` datetime NOT NULL, `actor` text NOT NULL, `action` text NOT NULL, `object` text NOT NULL, `detail` text NOT NULL, `organization_id` text NOT NULL DEFAULT (''), `actor_id` text NOT NULL DEFAULT (''), `workspace_id` text NOT NULL DEFAULT (''), `address` text NOT NULL DEFAULT (''), `request_id` text NOT NULL DEFAULT (''), `before` text NOT NULL DEFAULT (''), `after` text NOT NULL DEFAULT (''), `number` integer NOT NULL DEFAULT (0), `digest` text NOT NULL DEFAULT (''));
-- copy rows from old table "audit" to new temporary table "new_audit"
INSERT INTO `new_audit` (`id`, `at`, `actor`, `action`, `object`, `detail`, `organization_id`) SELECT `id`, `at`, `actor`, `action`, `object`, `detail`, `organization_id` FROM `audit`;
-- drop "audit" table after copying rows
DROP TABLE `audit`;
-- rename temporary table "new_audit" to "audit"
ALTER TABLE `new_audit` RENAME TO `audit`;
-- create index "audit_organization_id_id" to table: "audit"
CREATE INDEX `audit_organization_id_id` ON `audit` (`organization_id`, `id`);
-- create index "audit_organization_id_workspace_id_id" to table: "audit"
CREATE INDEX `audit_organization_id_workspace_id_id` ON `audit` (`organization_id`, `workspace_id`, `id`);
-- create index "audit_organization_id_number" to table: "audit"
CREATE UNIQUE INDEX `audit_organization_id_number` ON `audit` (`organization_id`, `number`) WHERE number > 0;
-- create index "audit_number" to table: "audit"
CREATE INDEX `audit_number` ON `audit` (`number`) WHERE number = 0;
-- create "audit_chains" table
CREATE TABLE `audit_chains` (`id` text NOT NULL, `number` integer NOT NULL, `digest` text NOT NULL, PRIMARY KEY (`id`));
-- create "audit_heads" table
CREATE TABLE `audit_heads` (`id` text NOT NULL, `number` integer NOT NULL, `digest` text NOT NULL, `signed_at` datetime NOT NULL, `signature` blob NOT NULL, PRIMARY KEY (`id`));
-- what rows are about, so that they are found by workspace
UPDATE audit SET workspace_id = substr(object, 11) WHERE object LIKE 'workspace %';
-- enable back the enforcement of foreign-keys constraints
PRAGMA foreign_keys = on;
