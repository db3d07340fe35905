-- disable the enforcement of foreign-keys constraints
PRAGMA foreign_keys = off;
-- create "new_planes" table
CREATE TABLE `new_planes` (`id` text NOT NULL, `name` text NOT NULL, `region` text NOT NULL, `kind` text NOT NULL, `organization` text NOT NULL, `identity_key` blob NOT NULL, `sealing_key` blob NOT NULL, `sealing_key_signature` blob NOT NULL, `nats_key` text NOT NULL, `gateway_url` text NOT NULL, `view_url` text NOT NULL, `version` text NOT NULL, `kinds` text NOT NULL, `joined_at` datetime NOT NULL, `last_beat` datetime NULL, `healthy` bool NOT NULL DEFAULT (false), `alarms` text NOT NULL, `conditions` text NOT NULL DEFAULT (''), PRIMARY KEY (`id`), CONSTRAINT `planes_kind` CHECK (kind in ('regional', 'private')), CONSTRAINT `planes_region` CHECK (region <> ''));
-- copy rows from old table "planes" to new temporary table "new_planes"
INSERT INTO `new_planes` (`id`, `name`, `region`, `kind`, `organization`, `identity_key`, `sealing_key`, `sealing_key_signature`, `nats_key`, `gateway_url`, `view_url`, `version`, `kinds`, `joined_at`, `last_beat`, `healthy`, `alarms`) SELECT `id`, `name`, `region`, `kind`, `organization`, `identity_key`, `sealing_key`, `sealing_key_signature`, `nats_key`, `gateway_url`, `view_url`, `version`, `kinds`, `joined_at`, `last_beat`, `healthy`, `alarms` FROM `planes`;
-- drop "planes" table after copying rows
DROP TABLE `planes`;
-- rename temporary table "new_planes" to "planes"
ALTER TABLE `new_planes` RENAME TO `planes`;
-- create index "planes_name_key" to table: "planes"
CREATE UNIQUE INDEX `planes_name_key` ON `planes` (`name`);
-- create index "planes_identity_key_key" to table: "planes"
CREATE UNIQUE INDEX `planes_identity_key_key` ON `planes` (`identity_key`);
-- create index "planes_sealing_key_key" to table: "planes"
CREATE UNIQUE INDEX `planes_sealing_key_key` ON `planes` (`sealing_key`);
-- create index "planes_nats_key_key" to table: "planes"
CREATE UNIQUE INDEX `planes_nats_key_key` ON `planes` (`nats_key`);
-- create index "plane_region" to table: "planes"
CREATE INDEX `plane_region` ON `planes` (`region`);
-- enable back the enforcement of foreign-keys constraints
PRAGMA foreign_keys = on;
