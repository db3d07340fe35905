-- modify "api_tokens" table
ALTER TABLE "api_tokens" ADD COLUMN "workspace_id" text NOT NULL DEFAULT '';
