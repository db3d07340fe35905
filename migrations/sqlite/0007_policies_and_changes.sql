-- disable the enforcement of foreign-keys constraints
PRAGMA foreign_keys = off;
-- create "new_revisions" table
CREATE TABLE `new_revisions` (`id` integer NOT NULL PRIMARY KEY AUTOINCREMENT, `number` integer NOT NULL, `digest` text NOT NULL, `body` blob NOT NULL, `created_at` datetime NOT NULL, `created_by` text NOT NULL, `reason` text NOT NULL DEFAULT (''), `changes` text NOT NULL DEFAULT (''), `approved_by` text NOT NULL DEFAULT (''), `workspace_id` text NOT NULL, CONSTRAINT `revisions_workspaces_workspace` FOREIGN KEY (`workspace_id`) REFERENCES `workspaces` (`id`) ON DELETE CASCADE, CONSTRAINT `revisions_digest` CHECK (length(digest) = 64), CONSTRAINT `revisions_number` CHECK (number > 0));
-- copy rows from old table "revisions" to new temporary table "new_revisions"
INSERT INTO `new_revisions` (`id`, `number`, `digest`, `body`, `created_at`, `created_by`, `reason`, `changes`, `workspace_id`) SELECT `id`, `number`, `digest`, `body`, `created_at`, `created_by`, `reason`, `changes`, `workspace_id` FROM `revisions`;
-- drop "revisions" table after copying rows
DROP TABLE `revisions`;
-- rename temporary table "new_revisions" to "revisions"
ALTER TABLE `new_revisions` RENAME TO `revisions`;
-- create index "revision_workspace_id_number" to table: "revisions"
CREATE UNIQUE INDEX `revision_workspace_id_number` ON `revisions` (`workspace_id`, `number`);
-- create "change_requests" table
CREATE TABLE `change_requests` (`id` integer NOT NULL PRIMARY KEY AUTOINCREMENT, `number` integer NOT NULL, `workspace_id` text NOT NULL, `workspace_name` text NOT NULL, `base` integer NOT NULL, `digest` text NOT NULL, `body` blob NOT NULL, `secrets` text NOT NULL, `changes` text NOT NULL, `before` text NOT NULL, `after` text NOT NULL, `needs` text NOT NULL, `reason` text NOT NULL, `discard_parked` bool NOT NULL, `author` text NOT NULL, `author_id` text NOT NULL, `author_person` text NOT NULL, `created_at` datetime NOT NULL, `state` text NOT NULL, `decided_by` text NOT NULL, `note` text NOT NULL, `decided_at` datetime NULL, `revision` integer NOT NULL, `organization_id` text NOT NULL, CONSTRAINT `change_requests_organizations_organization` FOREIGN KEY (`organization_id`) REFERENCES `organizations` (`id`) ON DELETE CASCADE, CONSTRAINT `change_requests_number` CHECK (number > 0), CONSTRAINT `change_requests_state` CHECK (state in ('waiting', 'approved', 'rejected', 'withdrawn')));
-- create index "changerequest_organization_id_number" to table: "change_requests"
CREATE UNIQUE INDEX `changerequest_organization_id_number` ON `change_requests` (`organization_id`, `number`);
-- create index "changerequest_workspace_id_state" to table: "change_requests"
CREATE INDEX `changerequest_workspace_id_state` ON `change_requests` (`workspace_id`, `state`);
-- create "organization_policies" table
CREATE TABLE `organization_policies` (`id` integer NOT NULL PRIMARY KEY AUTOINCREMENT, `name` text NOT NULL, `language` text NOT NULL, `text` text NOT NULL, `enabled` bool NOT NULL, `updated_at` datetime NOT NULL, `updated_by` text NOT NULL, `organization_id` text NOT NULL, CONSTRAINT `organization_policies_organizations_organization` FOREIGN KEY (`organization_id`) REFERENCES `organizations` (`id`) ON DELETE CASCADE, CONSTRAINT `organization_policies_language` CHECK (language in ('rego', 'rules')));
-- create index "organizationpolicy_organization_id_name" to table: "organization_policies"
CREATE UNIQUE INDEX `organizationpolicy_organization_id_name` ON `organization_policies` (`organization_id`, `name`);
-- enable back the enforcement of foreign-keys constraints
PRAGMA foreign_keys = on;
