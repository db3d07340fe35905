-- 0004_organizations.sql: workspaces, members and tokens belong to organizations; what a role allows is granted.
-- disable the enforcement of foreign-keys constraints
PRAGMA foreign_keys = off;
-- create "new_audit" table
CREATE TABLE `new_audit` (`id` integer NOT NULL PRIMARY KEY AUTOINCREMENT, `at` datetime NOT NULL, `actor` text NOT NULL, `action` text NOT NULL, `object` text NOT NULL, `detail` text NOT NULL, `organization_id` text NOT NULL DEFAULT (''));
-- copy rows from old table "audit" to new temporary table "new_audit"
INSERT INTO `new_audit` (`id`, `at`, `actor`, `action`, `object`, `detail`) SELECT `id`, `at`, `actor`, `action`, `object`, `detail` FROM `audit`;
-- drop "audit" table after copying rows
DROP TABLE `audit`;
-- rename temporary table "new_audit" to "audit"
ALTER TABLE `new_audit` RENAME TO `audit`;
-- create index "audit_organization_id_id" to table: "audit"
CREATE INDEX `audit_organization_id_id` ON `audit` (`organization_id`, `id`);
-- create "new_sessions" table
CREATE TABLE `new_sessions` (`id` text NOT NULL, `created_at` datetime NOT NULL, `expires_at` datetime NOT NULL, `sign_in` text NOT NULL DEFAULT (''), `address` text NOT NULL DEFAULT (''), `agent` text NOT NULL DEFAULT (''), `user_id` text NOT NULL, PRIMARY KEY (`id`), CONSTRAINT `sessions_users_user` FOREIGN KEY (`user_id`) REFERENCES `users` (`id`) ON DELETE CASCADE);
-- copy rows from old table "sessions" to new temporary table "new_sessions"
INSERT INTO `new_sessions` (`id`, `created_at`, `expires_at`, `user_id`) SELECT `id`, `created_at`, `expires_at`, `user_id` FROM `sessions`;
-- drop "sessions" table after copying rows
DROP TABLE `sessions`;
-- rename temporary table "new_sessions" to "sessions"
ALTER TABLE `new_sessions` RENAME TO `sessions`;
-- create index "session_user_id" to table: "sessions"
CREATE INDEX `session_user_id` ON `sessions` (`user_id`);
-- create index "session_expires_at" to table: "sessions"
CREATE INDEX `session_expires_at` ON `sessions` (`expires_at`);
-- create index "session_sign_in" to table: "sessions"
CREATE INDEX `session_sign_in` ON `sessions` (`sign_in`);
-- create "new_workspaces" table
CREATE TABLE `new_workspaces` (`id` text NOT NULL, `name` text NOT NULL, `region` text NOT NULL, `number` integer NOT NULL, `seen` integer NOT NULL DEFAULT (0), `digest` text NOT NULL, `created_at` datetime NOT NULL, `deleted_at` datetime NULL, `plane_id` text NOT NULL, `organization_id` text NOT NULL DEFAULT ('org_default'), PRIMARY KEY (`id`), CONSTRAINT `workspaces_planes_plane` FOREIGN KEY (`plane_id`) REFERENCES `planes` (`id`) ON DELETE RESTRICT, CONSTRAINT `workspaces_organizations_organization` FOREIGN KEY (`organization_id`) REFERENCES `organizations` (`id`) ON DELETE RESTRICT, CONSTRAINT `workspaces_name` CHECK (name <> ''), CONSTRAINT `workspaces_number` CHECK (number > 0));
-- copy rows from old table "workspaces" to new temporary table "new_workspaces"
INSERT INTO `new_workspaces` (`id`, `name`, `region`, `number`, `seen`, `digest`, `created_at`, `deleted_at`, `plane_id`) SELECT `id`, `name`, `region`, `number`, `seen`, `digest`, `created_at`, `deleted_at`, `plane_id` FROM `workspaces`;
-- drop "workspaces" table after copying rows
DROP TABLE `workspaces`;
-- rename temporary table "new_workspaces" to "workspaces"
ALTER TABLE `new_workspaces` RENAME TO `workspaces`;
-- create index "workspace_organization_id_name" to table: "workspaces"
CREATE UNIQUE INDEX `workspace_organization_id_name` ON `workspaces` (`organization_id`, `name`) WHERE deleted_at IS NULL;
-- create index "workspace_plane_id" to table: "workspaces"
CREATE INDEX `workspace_plane_id` ON `workspaces` (`plane_id`);
-- create "new_api_tokens" table
CREATE TABLE `new_api_tokens` (`id` text NOT NULL, `name` text NOT NULL, `organization_id` text NOT NULL DEFAULT ('org_default'), `owner_id` text NOT NULL DEFAULT (''), `scopes` text NOT NULL DEFAULT (''), `expires_at` datetime NULL, `last_used_at` datetime NULL, `role` text NOT NULL, `workspace_id` text NOT NULL DEFAULT (''), `hash` text NOT NULL, `created_at` datetime NOT NULL, `created_by` text NOT NULL, PRIMARY KEY (`id`), CONSTRAINT `api_tokens_role` CHECK (role in ('admin', 'editor', 'viewer')));
-- copy rows from old table "api_tokens" to new temporary table "new_api_tokens"
INSERT INTO `new_api_tokens` (`id`, `name`, `role`, `workspace_id`, `hash`, `created_at`, `created_by`) SELECT `id`, `name`, `role`, `workspace_id`, `hash`, `created_at`, `created_by` FROM `api_tokens`;
-- drop "api_tokens" table after copying rows
DROP TABLE `api_tokens`;
-- rename temporary table "new_api_tokens" to "api_tokens"
ALTER TABLE `new_api_tokens` RENAME TO `api_tokens`;
-- create index "api_tokens_hash_key" to table: "api_tokens"
CREATE UNIQUE INDEX `api_tokens_hash_key` ON `api_tokens` (`hash`);
-- create index "apitoken_organization_id_name" to table: "api_tokens"
CREATE UNIQUE INDEX `apitoken_organization_id_name` ON `api_tokens` (`organization_id`, `name`);
-- create index "apitoken_owner_id" to table: "api_tokens"
CREATE INDEX `apitoken_owner_id` ON `api_tokens` (`owner_id`);
-- create "grants" table
CREATE TABLE `grants` (`id` integer NOT NULL PRIMARY KEY AUTOINCREMENT, `subject_id` text NOT NULL, `organization_id` text NOT NULL, `workspace_id` text NOT NULL, `object_id` text NOT NULL, `role` text NOT NULL, `created_at` datetime NOT NULL, `created_by` text NOT NULL, CONSTRAINT `grants_object` CHECK (object_id = '' or workspace_id <> ''), CONSTRAINT `grants_role` CHECK (role <> ''), CONSTRAINT `grants_workspace` CHECK (workspace_id = '' or organization_id <> ''));
-- create index "grant_subject_id_organization_id_workspace_id_object_id" to table: "grants"
CREATE UNIQUE INDEX `grant_subject_id_organization_id_workspace_id_object_id` ON `grants` (`subject_id`, `organization_id`, `workspace_id`, `object_id`);
-- create index "grant_organization_id" to table: "grants"
CREATE INDEX `grant_organization_id` ON `grants` (`organization_id`);
-- create "member_links" table
CREATE TABLE `member_links` (`id` text NOT NULL, `organization_id` text NOT NULL, `workspace_id` text NOT NULL, `role` text NOT NULL, `user_id` text NOT NULL, `email` text NOT NULL, `created_at` datetime NOT NULL, `created_by` text NOT NULL, `expires_at` datetime NOT NULL, `used_by` text NOT NULL, PRIMARY KEY (`id`));
-- create index "memberlink_organization_id" to table: "member_links"
CREATE INDEX `memberlink_organization_id` ON `member_links` (`organization_id`);
-- create index "memberlink_expires_at" to table: "member_links"
CREATE INDEX `memberlink_expires_at` ON `member_links` (`expires_at`);
-- create "organizations" table
CREATE TABLE `organizations` (`id` text NOT NULL, `name` text NOT NULL, `created_at` datetime NOT NULL, PRIMARY KEY (`id`));
-- create index "organizations_name_key" to table: "organizations"
CREATE UNIQUE INDEX `organizations_name_key` ON `organizations` (`name`);
-- create "service_accounts" table
CREATE TABLE `service_accounts` (`id` text NOT NULL, `name` text NOT NULL, `created_at` datetime NOT NULL, `organization_id` text NOT NULL, PRIMARY KEY (`id`), CONSTRAINT `service_accounts_organizations_organization` FOREIGN KEY (`organization_id`) REFERENCES `organizations` (`id`) ON DELETE CASCADE);
-- create index "serviceaccount_organization_id_name" to table: "service_accounts"
CREATE UNIQUE INDEX `serviceaccount_organization_id_name` ON `service_accounts` (`organization_id`, `name`);
-- what there is belongs to the organization default
INSERT INTO `organizations` (id, name, created_at) VALUES ('org_default', 'default', strftime('%Y-%m-%d %H:%M:%f+00:00', 'now'));
-- what a role allowed in the whole installation is a role in the organization default; administrators are operators too
INSERT INTO grants (subject_id, organization_id, workspace_id, object_id, role, created_at, created_by)
  SELECT id, 'org_default', '', '', CASE role WHEN 'admin' THEN 'owner' ELSE role END, created_at, 'system:migration' FROM users;
INSERT INTO grants (subject_id, organization_id, workspace_id, object_id, role, created_at, created_by)
  SELECT id, '', '', '', 'operator', created_at, 'system:migration' FROM users WHERE role = 'admin';
INSERT INTO grants (subject_id, organization_id, workspace_id, object_id, role, created_at, created_by)
  SELECT id, 'org_default', workspace_id, '', CASE WHEN role = 'admin' AND workspace_id = '' THEN 'owner' ELSE role END, created_at, 'system:migration' FROM api_tokens;
INSERT INTO grants (subject_id, organization_id, workspace_id, object_id, role, created_at, created_by)
  SELECT id, '', '', '', 'operator', created_at, 'system:migration' FROM api_tokens WHERE role = 'admin' AND workspace_id = '';
UPDATE audit SET organization_id = 'org_default' WHERE object LIKE 'workspace %' OR object LIKE 'token %' OR object LIKE 'user %';
-- enable back the enforcement of foreign-keys constraints
PRAGMA foreign_keys = on;
