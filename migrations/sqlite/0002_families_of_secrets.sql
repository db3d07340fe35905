-- 0002_families_of_secrets.sql: a secret belongs to a source or a destination.
-- disable the enforcement of foreign-keys constraints
PRAGMA foreign_keys = off;
-- create "new_secrets" table
CREATE TABLE `new_secrets` (`id` integer NOT NULL PRIMARY KEY AUTOINCREMENT, `family` text NOT NULL, `object_id` text NOT NULL, `field` text NOT NULL, `version` integer NOT NULL, `fingerprint` text NOT NULL, `sealed` text NOT NULL, `created_at` datetime NOT NULL, `workspace_id` text NOT NULL, CONSTRAINT `secrets_workspaces_workspace` FOREIGN KEY (`workspace_id`) REFERENCES `workspaces` (`id`) ON DELETE CASCADE, CONSTRAINT `secrets_family` CHECK (family in ('source', 'destination')), CONSTRAINT `secrets_version` CHECK (version > 0));
-- copy rows from old table "secrets" to new temporary table "new_secrets"
INSERT INTO `new_secrets` (`id`, `family`, `object_id`, `field`, `version`, `fingerprint`, `sealed`, `created_at`, `workspace_id`) SELECT `id`, 'destination', `destination_id`, `field`, `version`, `fingerprint`, `sealed`, `created_at`, `workspace_id` FROM `secrets`;
-- drop "secrets" table after copying rows
DROP TABLE `secrets`;
-- rename temporary table "new_secrets" to "secrets"
ALTER TABLE `new_secrets` RENAME TO `secrets`;
-- create index "secret_workspace_id_family_object_id_field_version" to table: "secrets"
CREATE UNIQUE INDEX `secret_workspace_id_family_object_id_field_version` ON `secrets` (`workspace_id`, `family`, `object_id`, `field`, `version`);
-- enable back the enforcement of foreign-keys constraints
PRAGMA foreign_keys = on;
