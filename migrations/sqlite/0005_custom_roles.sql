-- 0005_custom_roles.sql: organizations make roles; a token's name is unique with its owner.
DROP INDEX `apitoken_organization_id_name`;
-- create index "apitoken_organization_id_owner_id_name" to table: "api_tokens"
CREATE UNIQUE INDEX `apitoken_organization_id_owner_id_name` ON `api_tokens` (`organization_id`, `owner_id`, `name`);
-- create "custom_roles" table
CREATE TABLE `custom_roles` (`id` integer NOT NULL PRIMARY KEY AUTOINCREMENT, `name` text NOT NULL, `actions` text NOT NULL, `created_at` datetime NOT NULL, `organization_id` text NOT NULL, CONSTRAINT `custom_roles_organizations_organization` FOREIGN KEY (`organization_id`) REFERENCES `organizations` (`id`) ON DELETE CASCADE);
-- create index "customrole_organization_id_name" to table: "custom_roles"
CREATE UNIQUE INDEX `customrole_organization_id_name` ON `custom_roles` (`organization_id`, `name`);
