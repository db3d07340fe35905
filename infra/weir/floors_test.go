package main_test

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// floor is one row of the house's table: packages and what of Weir they may
// import beside the standard library and what `only` allows from outside.
type floor struct {
	packages []string // patterns: exact, or prefix with a trailing *
	may      []string
}

var floors = []floor{
	{[]string{"weir/shared/delay", "weir/shared/id", "weir/shared/fault", "weir/shared/processors", "weir/shared/script/builtin", "weir/migrations", "weir/web"}, nil},
	{[]string{"weir/shared/certificate", "weir/shared/durable", "weir/shared/egress", "weir/shared/filter", "weir/shared/proxy"}, []string{"weir/shared/fault"}},
	{[]string{"weir/shared/catalog"}, []string{"weir/shared/id", "weir/shared/fault", "weir/shared/filter", "weir/shared/catalog/calls", "weir/shared/catalog/duration", "weir/shared/catalog/form", "weir/shared/catalog/objects", "weir/shared/catalog/person", "weir/shared/catalog/requests", "weir/shared/catalog/streams"}},
	{[]string{"weir/shared/catalog/person"}, []string{"weir/shared/fault"}},
	{[]string{"weir/shared/catalog/streams"}, []string{"weir/shared/fault", "weir/shared/catalog/document", "weir/shared/catalog/streams/word"}},
	{[]string{"weir/shared/catalog/streams/word"}, nil},
	{[]string{"weir/shared/catalog/calls/reference"}, nil},
	{[]string{"weir/shared/catalog/form"}, []string{"weir/shared/fault"}},
	{[]string{"weir/shared/catalog/form/formtest"}, []string{"weir/shared/catalog/form", "weir/shared/fault"}},
	{[]string{"weir/shared/catalog/objects"}, []string{"weir/shared/fault"}},
	{[]string{"weir/shared/catalog/calls"}, []string{"weir/shared/fault", "weir/shared/catalog/calls/reference", "weir/shared/catalog/document", "weir/shared/catalog/ecommerce"}},
	{[]string{"weir/shared/catalog/document"}, []string{"weir/shared/fault", "weir/shared/catalog/duration"}},
	{[]string{"weir/shared/catalog/ecommerce"}, nil},
	{[]string{"weir/shared/catalog/requests"}, []string{"weir/shared/catalog/duration"}},
	{[]string{"weir/shared/catalog/duration"}, nil},
	{[]string{"weir/shared/secret", "weir/shared/capability"}, []string{"weir/shared/id", "weir/shared/fault"}},
	{[]string{"weir/shared/worker"}, []string{"weir/shared/fault"}},
	{[]string{"weir/shared/script"}, []string{"weir/shared/fault", "weir/shared/processors", "weir/shared/worker"}},
	{[]string{"weir/shared/script/bundle"}, []string{"weir/shared/fault", "weir/shared/script", "weir/shared/script/builtin", "weir/shared/worker"}},
	{[]string{"weir/shared/script/scripttest"}, []string{"weir/shared/script", "weir/shared/script/bundle"}},
	{[]string{"weir/shared/catalog/page"}, []string{"weir/shared/catalog", "weir/shared/catalog/calls", "weir/shared/catalog/objects", "weir/shared/catalog/streams"}},
	{[]string{"weir/shared/catalog/private"}, []string{"weir/shared/catalog", "weir/shared/catalog/document", "weir/shared/catalog/requests", "weir/shared/fault"}},
	{[]string{"weir/shared/catalog/gen"}, []string{"weir/shared/catalog", "weir/shared/catalog/page", "weir/shared/fault"}},
	{[]string{"weir/shared/workspace"}, []string{"weir/shared/id", "weir/shared/fault", "weir/shared/filter", "weir/shared/catalog", "weir/shared/catalog/duration", "weir/shared/catalog/objects", "weir/shared/catalog/private", "weir/shared/catalog/streams", "weir/shared/secret", "weir/shared/script", "weir/shared/workspace/activation", "weir/shared/workspace/profiles"}},
	{[]string{"weir/shared/workspace/profiles/scores"}, nil},
	{[]string{"weir/shared/workspace/profiles"}, []string{"weir/shared/fault", "weir/shared/workspace/profiles/scores"}},
	{[]string{"weir/shared/workspace/activation"}, []string{"weir/shared/id", "weir/shared/fault"}},
	{[]string{"weir/shared/workspace/document"}, []string{"weir/shared/id", "weir/shared/filter", "weir/shared/workspace", "weir/shared/workspace/activation", "weir/shared/workspace/profiles"}},
	{[]string{"weir/shared/workspace/document/gen"}, []string{"weir/shared/workspace/document"}},
	{[]string{"weir/shared/wire/envelope", "weir/shared/wire/bucket"}, []string{"weir/shared/id", "weir/shared/fault", "weir/shared/secret", "weir/shared/workspace", "weir/shared/wire"}},
	{[]string{"weir/shared/wire/access"}, []string{"weir/shared/fault"}},
	{[]string{"weir/shared/wire/access/accesstest"}, []string{"weir/shared/wire/access"}},
	{[]string{"weir/shared/wire/link"}, []string{"weir/shared/fault", "weir/shared/wire", "weir/shared/wire/access", "weir/shared/wire/bucket"}},
	{[]string{"weir/shared/wire/hub"}, append([]string{"weir/shared/durable"}, wireEnd...)},
	{[]string{"weir/shared/wire/edge"}, wireEnd},
	{[]string{"weir/shared/wire", "weir/shared/telemetry"}, []string{"weir/shared/id", "weir/shared/fault", "weir/shared/catalog", "weir/shared/secret", "weir/shared/capability", "weir/shared/wire/condition", "weir/shared/workspace"}},
	{[]string{"weir/shared/telemetry/telemetrytest", "weir/shared/wire/condition", "weir/shared/servertest", "weir/shared/mutationtest"}, nil},
	{[]string{"weir/shared/postgrestest"}, []string{"weir/shared/servertest"}},

	{[]string{"weir/controlplane/store/chain"}, []string{"weir/controlplane/store/ent*"}},
	{[]string{"weir/controlplane/store/database/statements"}, nil},
	{[]string{"weir/controlplane/store/database"}, []string{"weir/shared/fault", "weir/migrations", "weir/controlplane/store/chain", "weir/controlplane/store/database/statements", "weir/controlplane/store/ent*"}},
	{[]string{"weir/controlplane/store/audit", "weir/controlplane/store/idempotency"}, []string{"weir/shared/*", "weir/controlplane/store/chain", "weir/controlplane/store/database", "weir/controlplane/store/ent*"}},
	{[]string{"weir/controlplane/store/beats", "weir/controlplane/store/changes", "weir/controlplane/store/listing", "weir/controlplane/store/placement", "weir/controlplane/store/policies", "weir/controlplane/store/tenancy"}, []string{"weir/shared/*", "weir/controlplane/store/database", "weir/controlplane/store/ent*"}},
	{[]string{"weir/controlplane/store/accounts"}, []string{"weir/shared/*", "weir/controlplane/store/chain", "weir/controlplane/store/database", "weir/controlplane/store/tenancy", "weir/controlplane/store/ent*"}},
	{[]string{"weir/controlplane/authn/atrest", "weir/controlplane/authn/limit", "weir/controlplane/authn/oidc", "weir/controlplane/authn/password", "weir/controlplane/authn/totp"}, []string{"weir/shared/fault"}},
	{[]string{"weir/controlplane/authn/logincode"}, []string{"weir/shared/fault", "weir/controlplane/authn/limit", "weir/controlplane/store", "weir/controlplane/store/accounts"}},
	{[]string{"weir/controlplane/store", "weir/controlplane/policy"}, []string{"weir/shared/*", "weir/controlplane/store/database", "weir/controlplane/store/accounts", "weir/controlplane/store/beats", "weir/controlplane/store/audit", "weir/controlplane/store/chain", "weir/controlplane/store/idempotency", "weir/controlplane/store/listing", "weir/controlplane/store/placement", "weir/controlplane/store/tenancy", "weir/controlplane/store/ent*", "weir/controlplane/store/changes", "weir/controlplane/store/policies", "weir/controlplane/policy/action"}},
	{[]string{"weir/controlplane/store/ent*", "weir/controlplane/store/schema"}, []string{"weir/controlplane/store/ent*", "weir/controlplane/store/schema"}},
	{[]string{"weir/controlplane/store/*"}, []string{"weir/shared/*", "weir/migrations", "weir/controlplane/store*"}},
	{[]string{"weir/controlplane/authn"}, []string{"weir/shared/*", "weir/controlplane/authn/*", "weir/controlplane/store", "weir/controlplane/store/accounts", "weir/controlplane/store/chain", "weir/controlplane/store/tenancy"}},
	{[]string{"weir/controlplane/policy/action"}, nil},
	{[]string{"weir/controlplane/policy/rules"}, []string{"weir/shared/*"}},
	{[]string{"weir/controlplane/policy/own"}, []string{"weir/shared/fault", "weir/shared/worker"}},
	{[]string{"weir/controlplane/review"}, []string{"weir/shared/*", "weir/controlplane/store", "weir/controlplane/store/policies", "weir/controlplane/policy/rules", "weir/controlplane/policy/own"}},
	{[]string{"weir/controlplane/draft/fit", "weir/controlplane/draft/removal"}, []string{"weir/shared/*", "weir/controlplane/store"}},
	{[]string{"weir/controlplane/draft"}, []string{"weir/shared/*", "weir/controlplane/store", "weir/controlplane/store/changes", "weir/controlplane/policy/rules", "weir/controlplane/review", "weir/controlplane/draft/fit", "weir/controlplane/draft/removal"}},
	{[]string{"weir/controlplane/tenant", "weir/controlplane/publish", "weir/controlplane/fleet", "weir/controlplane/insight"},
		[]string{"weir/shared/*", "weir/controlplane/store", "weir/controlplane/store/tenancy", "weir/controlplane/policy"}},
	{[]string{"weir/controlplane/api/problems"}, nil},
	{[]string{"weir/controlplane/api/quota"}, []string{"weir/shared/fault"}},
	{[]string{"weir/controlplane/api/once"}, []string{"weir/controlplane/api/web", "weir/controlplane/store/idempotency"}},
	{[]string{"weir/controlplane/api/web"}, []string{"weir/shared/*", "weir/controlplane/api/problems", "weir/controlplane/authn", "weir/controlplane/authn/logincode", "weir/controlplane/draft", "weir/controlplane/policy", "weir/controlplane/policy/action", "weir/controlplane/store", "weir/controlplane/store/chain", "weir/controlplane/store/tenancy"}},
	{[]string{"weir/controlplane/api/history"}, []string{"weir/shared/*", "weir/controlplane/api/web", "weir/controlplane/draft", "weir/controlplane/policy", "weir/controlplane/policy/action", "weir/controlplane/store", "weir/controlplane/store/audit"}},
	{[]string{"weir/controlplane/api/notices"}, []string{"weir/shared/*", "weir/controlplane/api/web", "weir/controlplane/policy", "weir/controlplane/policy/action", "weir/controlplane/store", "weir/controlplane/store/audit"}},
	{[]string{"weir/controlplane/api/pages"}, []string{"weir/controlplane/api/web"}},
	{[]string{"weir/controlplane/api/overview"}, []string{"weir/shared/*", "weir/controlplane/api/pages", "weir/controlplane/api/web", "weir/controlplane/draft", "weir/controlplane/fleet", "weir/controlplane/policy", "weir/controlplane/policy/action", "weir/controlplane/store", "weir/controlplane/store/listing"}},
	{[]string{"weir/controlplane/api/tenants"}, []string{"weir/shared/*", "weir/controlplane/api/pages", "weir/controlplane/api/web", "weir/controlplane/authn", "weir/controlplane/policy", "weir/controlplane/policy/action", "weir/controlplane/store", "weir/controlplane/store/tenancy"}},
	{[]string{"weir/controlplane/api/accounts"}, []string{"weir/shared/*", "weir/controlplane/api/tenants", "weir/controlplane/api/web", "weir/controlplane/authn", "weir/controlplane/authn/logincode", "weir/controlplane/authn/oidc", "weir/controlplane/policy", "weir/controlplane/store", "weir/controlplane/store/accounts"}},
	{[]string{"weir/controlplane/api/policies"}, []string{"weir/shared/*", "weir/controlplane/api/pages", "weir/controlplane/api/web", "weir/controlplane/draft", "weir/controlplane/policy", "weir/controlplane/policy/action", "weir/controlplane/review", "weir/controlplane/store", "weir/controlplane/store/changes", "weir/controlplane/store/policies"}},
	{[]string{"weir/controlplane/api/kinds"}, []string{"weir/shared/*", "weir/controlplane/api/web"}},
	{[]string{"weir/controlplane/api/site"}, []string{"weir/shared/*", "weir/controlplane/store"}},
	{[]string{"weir/controlplane/api", "weir/controlplane/jobs"}, []string{"weir/shared/*", "weir/web", "weir/controlplane/api/*", "weir/controlplane/store", "weir/controlplane/store/audit", "weir/controlplane/store/idempotency", "weir/controlplane/policy", "weir/controlplane/policy/action", "weir/controlplane/review",
		"weir/controlplane/authn", "weir/controlplane/tenant", "weir/controlplane/draft", "weir/controlplane/publish", "weir/controlplane/fleet", "weir/controlplane/insight"}},
	{[]string{"weir/shared/command"}, []string{"weir/shared/fault", "weir/shared/processors", "weir/shared/telemetry", "weir/shared/worker"}},
	{[]string{"weir/controlplane/command"}, []string{"weir/shared/command", "weir/shared/script", "weir/shared/script/bundle", "weir/shared/worker", "weir/controlplane", "weir/controlplane/policy/own"}},
	{[]string{"weir/dataplane/command"}, []string{"weir/shared/command", "weir/shared/worker", "weir/dataplane", "weir/dataplane/enrol"}},
	{[]string{"weir/controlplane/cmd/*"}, []string{"weir/shared/command", "weir/controlplane/command"}},
	{[]string{"weir/dataplane/cmd/*"}, []string{"weir/shared/command", "weir/dataplane/command"}},
	{[]string{"weir/controlplane"}, []string{"weir/shared/*", "weir/web", "weir/migrations", "weir/controlplane*"}},

	{[]string{"weir/dataplane/event"}, []string{"weir/shared/*", "weir/dataplane/event/instant"}},
	{[]string{"weir/dataplane/event/instant"}, nil},
	{[]string{"weir/dataplane/frames"}, []string{"weir/shared/*"}},
	{[]string{"weir/dataplane/layout/name"}, nil},
	{[]string{"weir/dataplane/layout/tree", "weir/dataplane/layout/timestamp"}, []string{"weir/shared/fault"}},
	{[]string{"weir/dataplane/layout"}, []string{"weir/shared/*", "weir/dataplane/event", "weir/dataplane/layout/*"}},
	{[]string{"weir/dataplane/dedupe/filter"}, []string{"weir/shared/fault"}},
	{[]string{"weir/dataplane/dedupe"}, []string{"weir/shared/*", "weir/dataplane/dedupe/filter", "weir/dataplane/frames"}},
	{[]string{"weir/dataplane/blob", "weir/dataplane/filter", "weir/dataplane/queue", "weir/dataplane/ledger", "weir/dataplane/route", "weir/dataplane/guard", "weir/dataplane/live", "weir/dataplane/delivery"},
		[]string{"weir/shared/*", "weir/dataplane/event", "weir/dataplane/frames"}},
	{[]string{"weir/dataplane/share"}, []string{"weir/shared/fault", "weir/shared/id"}},
	{[]string{"weir/dataplane/transform/heap", "weir/dataplane/transform/host"}, nil},
	{[]string{"weir/dataplane/transform/engine"}, []string{"weir/shared/*", "weir/dataplane/event", "weir/dataplane/transform/heap", "weir/dataplane/transform/host"}},
	{[]string{"weir/dataplane/transform/worker"}, []string{"weir/shared/*", "weir/dataplane/event", "weir/dataplane/transform/engine"}},
	{[]string{"weir/dataplane/transform"}, []string{"weir/shared/*", "weir/dataplane/event", "weir/dataplane/transform/engine", "weir/dataplane/transform/worker"}},
	{[]string{"weir/dataplane/queue/natsstore/peers"}, []string{"weir/shared/delay", "weir/shared/fault"}},
	{[]string{"weir/dataplane/queue/natsstore", "weir/dataplane/queue/natsstore/embedded"}, []string{"weir/shared/*", "weir/dataplane/queue", "weir/dataplane/queue/natsstore/cluster", "weir/dataplane/queue/natsstore/embedded", "weir/dataplane/queue/natsstore/names", "weir/dataplane/queue/natsstore/peers", "weir/dataplane/queue/natsstore/quota", "weir/dataplane/queue/natsstore/refusal", "weir/dataplane/queue/natsstore/relay", "weir/dataplane/queue/natsstore/table"}},
	{[]string{"weir/dataplane/queue/natsstore/names", "weir/dataplane/queue/natsstore/quota"}, []string{"weir/dataplane/queue", "weir/shared/id"}},
	{[]string{"weir/dataplane/queue/natsstore/table", "weir/dataplane/queue/natsstore/relay"}, []string{"weir/shared/fault"}},
	{[]string{"weir/dataplane/queue/detour"}, []string{"weir/shared/*", "weir/dataplane/event", "weir/dataplane/queue"}},
	{[]string{"weir/dataplane/queue/natsstore/cluster", "weir/dataplane/queue/natsstore/refusal"}, []string{"weir/shared/delay", "weir/shared/fault"}},
	{[]string{"weir/dataplane/queue/queuetest"}, []string{"weir/shared/*", "weir/dataplane/event", "weir/dataplane/queue"}},
	{[]string{"weir/dataplane/httpserve", "weir/dataplane/httpsend"}, nil},
	{[]string{"weir/dataplane/httpbench"}, []string{"weir/dataplane/httpserve", "weir/dataplane/httpsend"}},
	{[]string{"weir/dataplane/ingest/body", "weir/dataplane/ingest/ratelimit"}, nil},
	{[]string{"weir/dataplane/ingest/tally"}, []string{"weir/dataplane/ingest/body", "weir/shared/id"}},
	{[]string{"weir/dataplane/ingest"}, append([]string{"weir/dataplane/httpserve", "weir/dataplane/ingest/body", "weir/dataplane/ingest/ratelimit", "weir/dataplane/ingest/tally"}, d1...)},
	{[]string{"weir/dataplane/tables"}, nil},
	{[]string{"weir/dataplane/tables/tablestest"}, []string{"weir/shared/fault", "weir/dataplane/tables"}},
	{[]string{"weir/dataplane/tables/enginetest"}, []string{"weir/shared/*", "weir/dataplane/tables", "weir/dataplane/warehouse", "weir/dataplane/warehouses"}},
	{[]string{"weir/dataplane/identity"}, []string{"weir/shared/*", "weir/dataplane/tables"}},
	{[]string{"weir/dataplane/identity/identitytest"}, nil},
	{[]string{"weir/dataplane/profile/score"}, []string{"weir/shared/*", "weir/dataplane/tables"}},
	{[]string{"weir/dataplane/profile/features"}, []string{"weir/shared/*", "weir/dataplane/tables", "weir/dataplane/identity", "weir/dataplane/profile/score"}},
	{[]string{"weir/dataplane/profile"}, []string{"weir/shared/*", "weir/dataplane/tables", "weir/dataplane/identity", "weir/dataplane/profile/features", "weir/dataplane/profile/score"}},
	{[]string{"weir/dataplane/profile/model"}, []string{"weir/shared/workspace/profiles/scores"}},
	{[]string{"weir/dataplane/profile/training"}, []string{"weir/shared/*", "weir/dataplane/tables", "weir/dataplane/profile", "weir/dataplane/profile/model", "weir/dataplane/profile/score"}},
	{[]string{"weir/dataplane/profile/runs"}, []string{"weir/shared/*", "weir/dataplane/tables", "weir/dataplane/jobs", "weir/dataplane/profile", "weir/dataplane/profile/score", "weir/dataplane/profile/training", "weir/dataplane/warehouse"}},
	{[]string{"weir/dataplane/profile/lookup"}, []string{"weir/shared/*", "weir/dataplane/tables", "weir/dataplane/profile"}},
	{[]string{"weir/dataplane/profile/answers"}, []string{"weir/shared/*", "weir/dataplane/identity", "weir/dataplane/tables", "weir/dataplane/profile"}},
	{[]string{"weir/dataplane/view/profiles"}, []string{"weir/shared/*", "weir/dataplane/identity", "weir/dataplane/profile", "weir/dataplane/profile/answers", "weir/dataplane/profile/lookup", "weir/dataplane/profile/runs", "weir/dataplane/tables", "weir/dataplane/view/endpoint", "weir/dataplane/warehouse"}},
	{[]string{"weir/dataplane/warehouse"}, append([]string{"weir/dataplane/warehouse/removal"}, d1...)},
	{[]string{"weir/dataplane/erase"}, []string{"weir/shared/*", "weir/dataplane/jobs", "weir/dataplane/event", "weir/dataplane/layout", "weir/dataplane/queue/natsstore/table", "weir/dataplane/warehouse", "weir/dataplane/warehouse/removal", "weir/dataplane/warehouse/quoting"}},
	{[]string{"weir/dataplane/view/erasing"}, []string{"weir/shared/*", "weir/dataplane/erase", "weir/dataplane/erasures", "weir/dataplane/jobs", "weir/dataplane/jobs/record", "weir/dataplane/load", "weir/dataplane/plan", "weir/dataplane/view/endpoint", "weir/dataplane/view/profiles", "weir/dataplane/warehouse"}},
	{[]string{"weir/dataplane/erasures"}, []string{"weir/shared/*", "weir/dataplane/delivery", "weir/dataplane/erase", "weir/dataplane/event", "weir/dataplane/jobs", "weir/dataplane/ledger", "weir/dataplane/parked", "weir/dataplane/quarantine", "weir/dataplane/queue", "weir/dataplane/queue/natsstore/table", "weir/dataplane/warehouse"}},
	{[]string{"weir/dataplane/erasures/places"}, []string{"weir/shared/*", "weir/dataplane/erase", "weir/dataplane/erasures", "weir/dataplane/load", "weir/dataplane/partition", "weir/dataplane/plan", "weir/dataplane/profile", "weir/dataplane/profile/answers", "weir/dataplane/profile/lookup", "weir/dataplane/profile/runs", "weir/dataplane/queue", "weir/dataplane/queue/natsstore", "weir/dataplane/tables", "weir/dataplane/warehouse", "weir/dataplane/warehouse/removal"}},
	{[]string{"weir/dataplane/backfill"}, []string{"weir/shared/*", "weir/dataplane/blob", "weir/dataplane/jobs", "weir/dataplane/layout", "weir/dataplane/load/columns", "weir/dataplane/load/stage", "weir/dataplane/queue/natsstore/table", "weir/dataplane/warehouse", "weir/dataplane/warehouse/quoting", "weir/dataplane/warehouse/refusal", "weir/dataplane/warehouse/removal"}},
	{[]string{"weir/dataplane/view/warehouses"}, []string{"weir/shared/*", "weir/dataplane/backfill", "weir/dataplane/blob", "weir/dataplane/jobs", "weir/dataplane/load", "weir/dataplane/load/ask", "weir/dataplane/load/drift", "weir/dataplane/load/pauses", "weir/dataplane/view", "weir/dataplane/plan", "weir/dataplane/view/endpoint", "weir/dataplane/warehouse"}},
	{[]string{"weir/dataplane/warehouse/removal"}, []string{"weir/shared/catalog/duration", "weir/shared/fault"}},
	{[]string{"weir/dataplane/destination"}, append([]string{"weir/dataplane/destination/answer", "weir/dataplane/destination/fields", "weir/dataplane/destination/trust"}, d1...)},
	{[]string{"weir/dataplane/destination/address", "weir/dataplane/destination/answer", "weir/dataplane/destination/fields"}, nil},
	{[]string{"weir/dataplane/destination/cases"}, []string{"weir/shared/id", "weir/shared/secret", "weir/dataplane/destination", "weir/dataplane/event"}},
	{[]string{"weir/dataplane/destination/trust"}, []string{"weir/shared/fault", "weir/shared/secret"}},
	{[]string{"weir/dataplane/destination/serviceaccount"}, nil},
	{[]string{"weir/dataplane/machine"}, []string{"weir/shared/fault"}},
	{[]string{"weir/dataplane/connector"}, []string{"weir/shared/durable", "weir/shared/fault", "weir/shared/worker"}},
	{[]string{"weir/dataplane/destination/body"}, []string{"weir/dataplane/destination/fields"}},
	{[]string{"weir/dataplane/load"}, append([]string{"weir/dataplane/share", "weir/dataplane/warehouse", "weir/dataplane/load/ask", "weir/dataplane/load/batches", "weir/dataplane/load/columns", "weir/dataplane/load/discard", "weir/dataplane/load/disk", "weir/dataplane/load/drift", "weir/dataplane/load/history", "weir/dataplane/load/merged", "weir/dataplane/load/pace", "weir/dataplane/load/reading", "weir/dataplane/load/sift", "weir/dataplane/warehouse/refusal", "weir/dataplane/load/stage", "weir/dataplane/load/staged", "weir/dataplane/load/staging", "weir/dataplane/load/term"}, d1...)},
	{[]string{"weir/dataplane/destination/convert"}, []string{"weir/shared/catalog/calls", "weir/dataplane/destination/fields"}},
	{[]string{"weir/dataplane/destination/mapping"}, []string{"weir/shared/*", "weir/dataplane/destination", "weir/dataplane/destination/convert", "weir/dataplane/destination/fields", "weir/dataplane/destination/values"}},
	{[]string{"weir/dataplane/destination/override"}, []string{"weir/shared/*", "weir/dataplane/destination", "weir/dataplane/destination/fields", "weir/dataplane/destination/values"}},
	{[]string{"weir/dataplane/destination/values"}, []string{"weir/shared/fault", "weir/shared/catalog/calls", "weir/shared/catalog/ecommerce", "weir/dataplane/destination", "weir/dataplane/destination/convert", "weir/dataplane/destination/fields"}},
	{[]string{"weir/dataplane/blob/blobtest"}, []string{"weir/shared/*", "weir/dataplane/blob"}},
	{[]string{"weir/dataplane/load/discard"}, []string{"weir/shared/*", "weir/dataplane/blob", "weir/dataplane/delivery", "weir/dataplane/event", "weir/dataplane/load/disk", "weir/dataplane/load/reading"}},
	{[]string{"weir/dataplane/load/pauses"}, []string{"weir/shared/*", "weir/dataplane/load/disk", "weir/dataplane/queue/natsstore/table"}},
	{[]string{"weir/dataplane/load/merged", "weir/dataplane/load/term"}, []string{"weir/shared/*"}},
	{[]string{"weir/dataplane/load/sift"}, []string{"weir/dataplane/warehouse/refusal"}},
	{[]string{"weir/dataplane/load/staged"}, []string{"weir/shared/*", "weir/dataplane/event", "weir/dataplane/ledger", "weir/dataplane/queue"}},
	{[]string{"weir/dataplane/load/stage"}, []string{"weir/shared/*", "weir/dataplane/blob", "weir/dataplane/layout", "weir/dataplane/layout/timestamp", "weir/dataplane/warehouse"}},
	{[]string{"weir/dataplane/load/columns"}, []string{"weir/shared/*", "weir/dataplane/layout", "weir/dataplane/load/stage", "weir/dataplane/warehouse", "weir/dataplane/warehouse/refusal", "weir/dataplane/warehouse/quoting"}},
	{[]string{"weir/dataplane/load/ask"}, []string{"weir/shared/*", "weir/dataplane/warehouse"}},
	{[]string{"weir/dataplane/load/history"}, []string{"weir/shared/durable"}},
	{[]string{"weir/dataplane/load/drift"}, []string{"weir/shared/durable", "weir/dataplane/layout", "weir/dataplane/load/stage", "weir/dataplane/warehouse", "weir/dataplane/warehouse/removal"}},
	{[]string{"weir/dataplane/load/staging"}, []string{"weir/shared/*", "weir/dataplane/blob", "weir/dataplane/event", "weir/dataplane/layout", "weir/dataplane/load/batches", "weir/dataplane/load/disk", "weir/dataplane/load/reading", "weir/dataplane/load/stage", "weir/dataplane/queue"}},
	{[]string{"weir/dataplane/load/batches"}, []string{"weir/shared/*", "weir/dataplane/event", "weir/dataplane/load/reading", "weir/dataplane/queue"}},
	{[]string{"weir/dataplane/load/disk"}, []string{"weir/shared/*", "weir/dataplane/load/stage"}},
	{[]string{"weir/dataplane/load/pace"}, []string{"weir/shared/*", "weir/dataplane/warehouse", "weir/dataplane/warehouse/quoting"}},
	{[]string{"weir/dataplane/load/reading"}, []string{"weir/shared/*", "weir/dataplane/event", "weir/dataplane/queue"}},
	{[]string{"weir/dataplane/warehouse/quoting", "weir/dataplane/warehouse/refusal"}, nil},
	{[]string{"weir/dataplane/warehouse/trust"}, []string{"weir/shared/*"}},
	{[]string{"weir/dataplane/warehouse/texts"}, []string{"weir/dataplane/blob", "weir/dataplane/layout", "weir/dataplane/layout/timestamp", "weir/dataplane/warehouse"}},
	{[]string{"weir/dataplane/warehouse/rows"}, []string{"weir/dataplane/blob", "weir/dataplane/layout", "weir/dataplane/layout/timestamp", "weir/dataplane/warehouse", "weir/dataplane/warehouse/refusal", "weir/dataplane/warehouse/texts"}},
	{[]string{"weir/dataplane/bucket"}, []string{"weir/dataplane/httpsend", "weir/shared/fault", "weir/shared/secret"}},
	{[]string{"weir/dataplane/warehouse/upload"}, []string{"weir/dataplane/bucket", "weir/dataplane/warehouse"}},
	{[]string{"weir/dataplane/warehouse/lake"}, []string{"weir/dataplane/blob", "weir/dataplane/layout", "weir/dataplane/layout/timestamp", "weir/dataplane/warehouse", "weir/dataplane/warehouse/refusal", "weir/dataplane/warehouse/rows"}},
	{[]string{"weir/dataplane/warehouse/lake/disk"}, []string{"weir/dataplane/warehouse", "weir/dataplane/warehouse/lake", "weir/shared/durable"}},
	{[]string{"weir/dataplane/warehouse/lake/s3"}, []string{"weir/dataplane/bucket", "weir/dataplane/warehouse", "weir/dataplane/warehouse/lake"}},
	{[]string{"weir/dataplane/warehouse/lake/iceberg"}, []string{"weir/dataplane/layout", "weir/dataplane/warehouse", "weir/dataplane/warehouse/lake", "weir/dataplane/warehouse/refusal"}},
	{[]string{"weir/dataplane/warehouse/rest"}, []string{"weir/dataplane/destination/serviceaccount", "weir/dataplane/httpsend", "weir/dataplane/warehouse", "weir/shared/delay", "weir/shared/fault"}},
	{[]string{"weir/dataplane/deliver"}, append([]string{"weir/dataplane/share", "weir/dataplane/destination", "weir/dataplane/outbound", "weir/dataplane/parked", "weir/dataplane/backlog", "weir/dataplane/circuit", "weir/dataplane/deliver/workers", "weir/dataplane/keyed"}, d1...)},
	{[]string{"weir/dataplane/circuit", "weir/dataplane/deliver/workers", "weir/dataplane/keyed", "weir/dataplane/retention"}, nil},
	{[]string{"weir/dataplane/backlog"}, []string{"weir/shared/*", "weir/dataplane/event", "weir/dataplane/delivery", "weir/dataplane/parked"}},
	{[]string{"weir/dataplane/parked"}, []string{"weir/shared/*", "weir/dataplane/event", "weir/dataplane/delivery", "weir/dataplane/parked/record", "weir/dataplane/queue"}},
	{[]string{"weir/dataplane/parked/record"}, []string{"weir/shared/*", "weir/dataplane/event", "weir/dataplane/frames", "weir/dataplane/delivery", "weir/dataplane/queue"}},
	{[]string{"weir/dataplane/rewrite"}, append([]string{"weir/dataplane/share", "weir/dataplane/journal/record", "weir/dataplane/plan"}, d1...)},
	{[]string{"weir/dataplane/quarantine"}, []string{"weir/shared/*", "weir/dataplane/event", "weir/dataplane/delivery", "weir/dataplane/queue"}},
	{[]string{"weir/dataplane/journal/record"}, []string{"weir/shared/*", "weir/dataplane/frames", "weir/dataplane/dedupe", "weir/dataplane/delivery", "weir/dataplane/ledger"}},
	{[]string{"weir/dataplane/journal"},
		[]string{"weir/shared/*", "weir/dataplane/journal/record", "weir/dataplane/dedupe", "weir/dataplane/delivery", "weir/dataplane/ledger", "weir/dataplane/queue"}},
	{[]string{"weir/dataplane/overflow"}, []string{"weir/shared/*", "weir/dataplane/blob", "weir/dataplane/queue"}},
	{[]string{"weir/dataplane/outbound"}, []string{"weir/shared/*", "weir/dataplane/event", "weir/dataplane/destination", "weir/dataplane/destination/trust", "weir/dataplane/httpsend", "weir/dataplane/outbound/*"}},
	{[]string{"weir/dataplane/outbound/*"}, []string{"weir/shared/*", "weir/dataplane/destination", "weir/dataplane/destination/answer", "weir/dataplane/destination/serviceaccount", "weir/dataplane/destination/trust"}},
	{[]string{"weir/dataplane/ingest/ingesttest"}, append([]string{"weir/dataplane/ingest"}, d1...)},
	{[]string{"weir/dataplane/destination/destinationtest"}, append([]string{"weir/dataplane/destination", "weir/dataplane/destination/cases", "weir/dataplane/destination/override", "weir/dataplane/outbound"}, d1...)},
	{[]string{"weir/dataplane/load/loadtest"}, append([]string{"weir/dataplane/layout/timestamp", "weir/dataplane/load", "weir/dataplane/load/history", "weir/dataplane/warehouse", "weir/dataplane/queue/queuetest", "weir/dataplane/erase", "weir/dataplane/load/drift", "weir/dataplane/warehouse/removal"}, d1...)},
	{[]string{"weir/dataplane/sources", "weir/dataplane/sources/*"}, append(family("weir/dataplane/ingest", "weir/dataplane/sources/*"), "weir/dataplane/pull", "weir/dataplane/pull/api", "weir/dataplane/pull/lag", "weir/dataplane/pull/stale", "weir/dataplane/pull/tables", "weir/dataplane/pull/foreign", "weir/dataplane/connector", "weir/dataplane/destination/fields", "weir/dataplane/bucket", "weir/dataplane/warehouse/trust", "weir/shared/catalog/document", "weir/shared/catalog/streams", "weir/shared/delay")},
	{[]string{"weir/dataplane/destinations", "weir/dataplane/destinations/*"}, append(family("weir/dataplane/destination", "weir/dataplane/destinations/*"), "weir/dataplane/destination/address", "weir/dataplane/destination/body", "weir/dataplane/destination/fields", "weir/dataplane/destination/convert", "weir/dataplane/destination/mapping", "weir/dataplane/destination/override", "weir/dataplane/destination/values", "weir/shared/catalog/ecommerce", "weir/dataplane/destination/trust", "weir/dataplane/bucket", "weir/dataplane/destination/serviceaccount", "weir/dataplane/httpsend", "weir/dataplane/warehouse/trust")},
	{[]string{"weir/dataplane/warehouses", "weir/dataplane/warehouses/*"}, append(family("weir/dataplane/warehouse", "weir/dataplane/warehouses/*"), "weir/dataplane/bucket", "weir/dataplane/destination/serviceaccount", "weir/dataplane/httpsend", "weir/dataplane/tables", "weir/dataplane/warehouse/refusal", "weir/dataplane/warehouse/removal", "weir/dataplane/warehouse/rest", "weir/dataplane/warehouse/rows", "weir/dataplane/warehouse/texts", "weir/dataplane/warehouse/trust", "weir/dataplane/warehouse/upload", "weir/shared/delay", "weir/shared/worker", "weir/dataplane/layout", "weir/dataplane/layout/timestamp", "weir/dataplane/warehouse/lake", "weir/dataplane/warehouse/lake/disk", "weir/dataplane/warehouse/lake/iceberg", "weir/dataplane/warehouse/lake/s3", "weir/shared/durable")},
	{[]string{"weir/dataplane/plan"}, append([]string{"weir/dataplane/ingest", "weir/dataplane/destination", "weir/dataplane/warehouse", "weir/dataplane/load", "weir/dataplane/pull", "weir/dataplane/identity", "weir/dataplane/profile"}, d1...)},
	{[]string{"weir/dataplane/pipeline/aside"}, []string{"weir/shared/*", "weir/dataplane/event", "weir/dataplane/queue"}},
	{[]string{"weir/dataplane/pipeline/budget"}, nil},
	{[]string{"weir/dataplane/pipeline/unread"}, []string{"weir/shared/*", "weir/dataplane/event", "weir/dataplane/ledger", "weir/dataplane/queue"}},
	{[]string{"weir/dataplane/pipeline", "weir/dataplane/agent"},
		append([]string{"weir/dataplane/pipeline/*", "weir/dataplane/ingest", "weir/dataplane/destination", "weir/dataplane/parked*", "weir/dataplane/journal*", "weir/dataplane/quarantine", "weir/dataplane/rewrite", "weir/dataplane/retention", "weir/dataplane/load", "weir/dataplane/identity", "weir/dataplane/profile", "weir/dataplane/plan"}, d1...)},
	{[]string{"weir/dataplane/syncs/books"}, []string{"weir/dataplane/tables", "weir/shared/*"}},
	{[]string{"weir/dataplane/syncs"}, []string{"weir/dataplane/syncs/books", "weir/dataplane/jobs", "weir/dataplane/event", "weir/dataplane/destination", "weir/dataplane/outbound", "weir/dataplane/queue/natsstore/table", "weir/dataplane/tables", "weir/dataplane/warehouse", "weir/shared/*"}},
	{[]string{"weir/dataplane/syncs/syncstest"}, []string{"weir/dataplane/syncs", "weir/dataplane/syncs/books", "weir/dataplane/destination", "weir/dataplane/outbound", "weir/dataplane/queue/natsstore/table", "weir/dataplane/tables", "weir/dataplane/warehouse", "weir/shared/*"}},
	{[]string{"weir/dataplane/view/activation"}, []string{"weir/dataplane/syncs", "weir/dataplane/syncs/books", "weir/dataplane/view/endpoint", "weir/dataplane/warehouse", "weir/shared/*"}},
	{[]string{"weir/dataplane/jobs"}, []string{"weir/shared/*"}},
	{[]string{"weir/dataplane/jobs/record"}, []string{"weir/shared/*", "weir/dataplane/jobs", "weir/dataplane/queue/natsstore/table"}},
	{[]string{"weir/dataplane/view/schedule"}, []string{"weir/shared/*", "weir/dataplane/erase", "weir/dataplane/jobs", "weir/dataplane/jobs/record", "weir/dataplane/profile", "weir/dataplane/profile/runs", "weir/dataplane/pull", "weir/dataplane/syncs", "weir/dataplane/view/endpoint"}},
	{[]string{"weir/dataplane/jobs/temporal"}, []string{"weir/shared/*", "weir/dataplane/jobs"}},
	{[]string{"weir/dataplane/jobs/jobstest"}, []string{"weir/shared/*", "weir/dataplane/jobs"}},
	{[]string{"weir/dataplane/pull/lag"}, nil},
	{[]string{"weir/dataplane/pull/stale"}, []string{"weir/shared/*", "weir/dataplane/layout", "weir/dataplane/ledger", "weir/dataplane/warehouse", "weir/dataplane/warehouse/quoting"}},
	{[]string{"weir/dataplane/troubles"}, []string{"weir/shared/*", "weir/dataplane/health", "weir/dataplane/profile", "weir/dataplane/profile/runs", "weir/dataplane/pull", "weir/dataplane/syncs"}},
	{[]string{"weir/dataplane/pull"}, []string{"weir/shared/*", "weir/dataplane/pull/lag", "weir/dataplane/pull/stale", "weir/dataplane/connector", "weir/dataplane/destination", "weir/dataplane/event", "weir/dataplane/event/instant", "weir/dataplane/jobs", "weir/dataplane/outbound/auth", "weir/dataplane/outbound/rate", "weir/dataplane/queue/natsstore/table", "weir/dataplane/share"}},
	{[]string{"weir/dataplane/pull/api/answers"}, []string{"weir/shared/*", "weir/dataplane/destination", "weir/dataplane/destination/answer", "weir/dataplane/destination/fields", "weir/dataplane/pull"}},
	{[]string{"weir/dataplane/pull/api/bodies"}, []string{"weir/shared/*", "weir/dataplane/destination/fields"}},
	{[]string{"weir/dataplane/pull/api"}, []string{"weir/shared/*", "weir/dataplane/pull/api/answers", "weir/dataplane/pull/api/bodies", "weir/dataplane/destination", "weir/dataplane/destination/answer", "weir/dataplane/destination/fields", "weir/dataplane/event", "weir/dataplane/outbound/rate", "weir/dataplane/pull"}},
	{[]string{"weir/dataplane/pull/tables"}, []string{"weir/shared/*", "weir/dataplane/pull"}},
	{[]string{"weir/dataplane/pull/foreign"}, []string{"weir/shared/*", "weir/dataplane/connector", "weir/dataplane/destination/fields", "weir/dataplane/event", "weir/dataplane/pull", "weir/dataplane/pull/stale"}},
	{[]string{"weir/dataplane/pull/try"}, []string{"weir/shared/*", "weir/dataplane/destination", "weir/dataplane/outbound", "weir/dataplane/outbound/auth", "weir/dataplane/outbound/rate", "weir/dataplane/pull"}},
	{[]string{"weir/dataplane/pull/api/apitest"}, []string{"weir/shared/*", "weir/dataplane/destination", "weir/dataplane/outbound/auth", "weir/dataplane/outbound/rate", "weir/dataplane/pull"}},
	{[]string{"weir/dataplane/moves"}, append([]string{"weir/dataplane/jobs", "weir/dataplane/parked", "weir/dataplane/quarantine", "weir/dataplane/queue/natsstore/table"}, d1...)},
	{[]string{"weir/dataplane/view"}, append([]string{"weir/dataplane/destination", "weir/dataplane/moves", "weir/dataplane/parked", "weir/dataplane/quarantine", "weir/dataplane/plan", "weir/dataplane/view/endpoint", "weir/dataplane/view/preview", "weir/dataplane/view/probe"}, d1...)},
	{[]string{"weir/dataplane/view/endpoint"}, []string{"weir/shared/*", "weir/dataplane/guard", "weir/dataplane/share"}},
	{[]string{"weir/dataplane/view/probe"}, []string{"weir/shared/*", "weir/dataplane/event", "weir/dataplane/destination", "weir/dataplane/destination/trust"}},
	{[]string{"weir/dataplane/view/preview"}, []string{"weir/shared/*", "weir/dataplane/view/endpoint"}},
	{[]string{"weir/dataplane/view/arrivals"}, []string{"weir/shared/*", "weir/dataplane/ingest/tally", "weir/dataplane/view/endpoint"}},
	{[]string{"weir/dataplane/view/pulls"}, []string{"weir/shared/*", "weir/dataplane/pull", "weir/dataplane/view/endpoint", "weir/dataplane/pull/lag"}},
	{[]string{"weir/dataplane/enrol", "weir/dataplane/listen"}, []string{"weir/shared/*"}},
	{[]string{"weir/dataplane/preview"}, append([]string{"weir/dataplane/destination"}, d1...)},
	{[]string{"weir/dataplane/partition"}, append([]string{"weir/dataplane/backlog", "weir/dataplane/overflow", "weir/dataplane/queue/natsstore", "weir/dataplane/destination", "weir/dataplane/outbound", "weir/dataplane/parked", "weir/dataplane/quarantine", "weir/dataplane/deliver", "weir/dataplane/plan", "weir/dataplane/pipeline*", "weir/dataplane/moves", "weir/dataplane/view"}, d1...)},
	{[]string{"weir/dataplane/health"}, append([]string{"weir/dataplane/deliver", "weir/dataplane/ingest", "weir/dataplane/partition"}, d1...)},
	{[]string{"weir/dataplane"}, []string{"weir/shared/*", "weir/dataplane*"}},
	{[]string{"weir/infra/weir"}, []string{"weir/shared/command", "weir/infra/weir/cli"}},
	{[]string{"weir/infra/weir/cli"}, []string{"weir/shared/*", "weir/controlplane/command", "weir/dataplane/command", "weir/infra/weir/cli/*"}},
	{[]string{"weir/infra/weir/cli/manifest"}, []string{"weir/shared/*"}},
	{[]string{"weir/infra/weir/cli/remote"}, []string{"weir/shared/*", "weir/infra/weir/cli/manifest", "weir/infra/weir/cli/remote/approval", "weir/infra/weir/cli/remote/openapi"}},
	{[]string{"weir/infra/weir/cli/remote/openapi"}, []string{"weir/shared/fault", "weir/shared/id", "weir/shared/wire", "weir/shared/wire/condition", "weir/shared/workspace/document"}},
	{[]string{"weir/infra/weir/cli/remote/openapi/gen"}, nil},
	{[]string{"weir/infra/weir/cli/remote/approval"}, []string{"weir/infra/weir/cli/remote/openapi"}},
	{[]string{"weir/infra/weir/cli/remote/tenants", "weir/infra/weir/cli/remote/policies"}, []string{"weir/shared/fault", "weir/infra/weir/cli/remote", "weir/infra/weir/cli/remote/approval", "weir/infra/weir/cli/remote/openapi"}},
	{[]string{"weir/infra/weir/cli/seal", "weir/infra/weir/cli/console"}, []string{"weir/shared/*", "weir/infra/weir/cli/manifest", "weir/infra/weir/cli/remote"}},
	{[]string{"weir/infra/weir/cli/activate"}, []string{"weir/shared/*", "weir/infra/weir/cli/console", "weir/infra/weir/cli/remote"}},
	{[]string{"weir/infra/weir/cli/profiles"}, []string{"weir/shared/*", "weir/infra/weir/cli/console", "weir/infra/weir/cli/manifest", "weir/infra/weir/cli/remote"}},
	{[]string{"weir/infra/weir/cli/jobs"}, []string{"weir/shared/*", "weir/infra/weir/cli/console", "weir/infra/weir/cli/remote"}},
	{[]string{"weir/infra/weir/cli/pull"}, []string{"weir/shared/*", "weir/infra/weir/cli/console", "weir/infra/weir/cli/remote"}},
	{[]string{"weir/infra/weir/cli/loads"}, []string{"weir/shared/*", "weir/infra/weir/cli/console", "weir/infra/weir/cli/remote"}},
	{[]string{"weir/infra/weir/cli/events"}, []string{"weir/shared/*", "weir/infra/weir/cli/console", "weir/infra/weir/cli/manifest", "weir/infra/weir/cli/remote"}},
	{[]string{"weir/infra/weir/cli/preview"}, []string{"weir/shared/*", "weir/infra/weir/cli/console", "weir/infra/weir/cli/manifest", "weir/dataplane", "weir/dataplane/preview"}},
	{[]string{"weir/infra/weir/cli/source"}, []string{"weir/shared/*", "weir/infra/weir/cli/console", "weir/infra/weir/cli/manifest", "weir/dataplane/pull", "weir/dataplane/pull/api", "weir/dataplane/pull/try"}},
	{[]string{"weir/infra/weir/cli/destination"}, []string{"weir/shared/*", "weir/infra/weir/cli/console", "weir/infra/weir/cli/manifest", "weir/infra/weir/cli/remote", "weir/dataplane", "weir/dataplane/destination/cases"}},
	{[]string{"weir/infra/weir/cli/account"}, []string{"weir/shared/*", "weir/infra/weir/cli/console", "weir/infra/weir/cli/remote/accounts"}},
	{[]string{"weir/infra/weir/cli/signin"}, []string{"weir/shared/*", "weir/infra/weir/cli/console", "weir/infra/weir/cli/remote", "weir/infra/weir/cli/remote/accounts"}},
	{[]string{"weir/infra/weir/cli/remote/accounts"}, []string{"weir/shared/fault", "weir/infra/weir/cli/remote", "weir/infra/weir/cli/remote/openapi"}},
	{[]string{"weir/infra/weir/cli/apply"}, []string{"weir/shared/*", "weir/infra/weir/cli/console", "weir/infra/weir/cli/manifest", "weir/infra/weir/cli/preview", "weir/infra/weir/cli/remote", "weir/infra/weir/cli/remote/policies", "weir/infra/weir/cli/remote/tenants", "weir/infra/weir/cli/remote/approval", "weir/infra/weir/cli/seal"}},
	{[]string{"weir/infra/weir/cli/policies"}, []string{"weir/shared/*", "weir/controlplane/policy/own", "weir/infra/weir/cli/apply", "weir/infra/weir/cli/console", "weir/infra/weir/cli/remote", "weir/infra/weir/cli/remote/policies"}},
	{[]string{"weir/infra/weir/cli/dev"}, []string{"weir/shared/*", "weir/infra/weir/cli/apply", "weir/infra/weir/cli/console", "weir/infra/weir/cli/manifest", "weir/infra/weir/cli/remote", "weir/infra/weir/stack"}},
	{[]string{"weir/infra/weir/stack"}, []string{"weir/shared/*", "weir/controlplane", "weir/dataplane", "weir/dataplane/enrol", "weir/dataplane/jobs/temporal"}},
	{[]string{"weir/infra/weir/bench/fresh"}, []string{"weir/infra/weir/bench/*", "weir/shared/postgrestest", "weir/shared/servertest"}},
	{[]string{"weir/infra/weir/bench", "weir/infra/weir/bench/*"}, []string{"weir/infra/weir/bench/*"}},
	{[]string{"weir/infra/weir/e2e"}, []string{"weir/shared/*"}},
}

var d1 = []string{"weir/shared/*", "weir/dataplane/event", "weir/dataplane/frames", "weir/dataplane/blob", "weir/dataplane/queue", "weir/dataplane/dedupe", "weir/dataplane/ledger",
	"weir/dataplane/layout", "weir/dataplane/transform", "weir/dataplane/route", "weir/dataplane/guard", "weir/dataplane/live", "weir/dataplane/delivery", "weir/dataplane/filter"}

// wireEnd is what either end of the road between the planes stands on.
var wireEnd = []string{"weir/shared/id", "weir/shared/fault", "weir/shared/secret", "weir/shared/workspace", "weir/shared/wire", "weir/shared/wire/access", "weir/shared/wire/bucket", "weir/shared/wire/envelope", "weir/shared/wire/link"}

func family(contract, members string) []string {
	return []string{contract, members, "weir/dataplane/event", "weir/dataplane/blob", "weir/shared/id", "weir/shared/fault", "weir/shared/secret", "weir/shared/catalog"}
}

// keepers says who alone may import a library from outside.
var keepers = map[string][]string{
	"github.com/nats-io/nats.go":      {"weir/shared/wire/access", "weir/shared/wire/link", "weir/shared/wire/hub", "weir/dataplane/queue/natsstore*", "weir/infra/weir/stack"},
	"go.etcd.io/bbolt":                {"weir/dataplane/profile/lookup"},
	"github.com/nats-io/nats-server/": {"weir/shared/wire/hub", "weir/dataplane/queue/natsstore*", "weir/infra/weir/stack"},
	"github.com/google/renameio/":     {"weir/shared/durable"},
	"github.com/gofrs/flock":          {"weir/shared/durable"},
	"entgo.io/":                       {"weir/controlplane/store*"},
	"github.com/open-policy-agent/":   {"weir/controlplane/policy*"},
	"go.temporal.io/":                 {"weir/controlplane/jobs", "weir/dataplane/jobs/temporal"},
	"github.com/labstack/echo/v4":     {"weir/controlplane/api*", "weir/dataplane/ingest"},
	"github.com/spf13/cobra":          {"weir/shared/command", "weir/controlplane/command", "weir/dataplane/command", "weir/infra/weir/cli*"},
	"github.com/pquerna/otp":          {"weir/controlplane/authn/totp"},
	"github.com/coreos/go-oidc/":      {"weir/controlplane/authn/oidc"},
	"cel.dev/":                        {"weir/shared/filter"},
	"github.com/evanw/esbuild/":       {"weir/shared/script/bundle"},
	"weir/shared/script/bundle":       {"weir/controlplane/command", "weir/dataplane", "weir/shared/script/scripttest"}, // what they run it in is a worker
	"modernc.org/quickjs":             {"weir/dataplane/transform/engine", "weir/dataplane/transform/heap", "weir/dataplane/transform/host"},
	"modernc.org/libquickjs":          {"weir/dataplane/transform/engine", "weir/dataplane/transform/heap"},
	"github.com/nats-io/nkeys":        {"weir/shared/wire*", "weir/dataplane/enrol"},
	"github.com/nats-io/jwt/":         {"weir/shared/wire*"},
	"github.com/nats-io/nuid":         {"weir/dataplane/queue/natsstore*"},
	"github.com/jackc/pgx/":           {"weir/controlplane/store*", "weir/dataplane/warehouses/*", "weir/dataplane/sources/postgres", "weir/dataplane/sources/postgres/session", "weir/dataplane/destinations/postgres-table"},
	"github.com/jackc/pglogrepl":      {"weir/dataplane/sources/postgres"},
	"github.com/go-sql-driver/mysql":  {"weir/dataplane/warehouses/mysql", "weir/dataplane/sources/mysql"},
}

var forbiddenNames = []string{"util", "utils", "common", "helper", "helpers", "misc", "base", "core", "manager", "types", "models"}

type pkg struct {
	ImportPath     string
	Name           string
	Dir            string
	Imports        []string
	GoFiles        []string
	IgnoredGoFiles []string // left out by build tags
	TestImports    []string
	XTestImports   []string
}

// TestFloors holds every package of the workspace to the house's table.
func TestFloors(t *testing.T) {
	for _, p := range list(t) {
		may, ok := allowed(p.ImportPath)
		if !ok {
			t.Errorf("%s stands on no floor: add it to the house's table and to this test", p.ImportPath)
			continue
		}
		for _, imp := range p.Imports {
			if strings.HasPrefix(imp, "weir/") && !matches(may, imp) {
				t.Errorf("%s imports %s, which its floor does not allow", p.ImportPath, imp)
			}
			for lib, who := range keepers {
				if strings.HasPrefix(imp, lib) && !matches(who, p.ImportPath) {
					t.Errorf("%s imports %s, which belongs to %v alone", p.ImportPath, imp, who)
				}
			}
		}
	}
}

// TestNames refuses packages and files whose name says nothing.
func TestNames(t *testing.T) {
	for _, p := range list(t) {
		if strings.Contains(p.ImportPath, "/store/ent") {
			continue // generated
		}
		for part := range strings.SplitSeq(p.ImportPath, "/") {
			if slices.Contains(forbiddenNames, part) {
				t.Errorf("package %s: the name %q says nothing", p.ImportPath, part)
			}
		}
		for _, f := range p.GoFiles {
			if slices.Contains(forbiddenNames, strings.TrimSuffix(f, ".go")) {
				t.Errorf("%s/%s: the name says nothing", p.ImportPath, f)
			}
		}
	}
}

// TestOneRoomReplacesAndLocksFiles keeps the calls that make a file durable, or a
// process alone, in the one package that makes them right.
func TestOneRoomReplacesAndLocksFiles(t *testing.T) {
	for _, p := range list(t) {
		if p.ImportPath == "weir/shared/durable" {
			continue
		}
		for _, name := range p.GoFiles {
			file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(p.Dir, name), nil, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			ast.Inspect(file, func(n ast.Node) bool {
				call, ok := n.(*ast.SelectorExpr)
				if !ok {
					return true
				}
				if pkg, ok := call.X.(*ast.Ident); ok && slices.Contains([]string{"os.Rename", "syscall.Flock", "unix.Flock"}, pkg.Name+"."+call.Sel.Name) {
					t.Errorf("%s/%s uses %s.%s: weir/shared/durable does that", p.ImportPath, name, pkg.Name, call.Sel.Name)
				}
				return true
			})
		}
	}
}

// TestRolesLinkNothingOfTheOtherPlane keeps role images apart.
func TestRolesLinkNothingOfTheOtherPlane(t *testing.T) {
	for role, foreign := range map[string]string{
		"weir/controlplane/cmd/controlplane": "weir/dataplane",
		"weir/dataplane/cmd/dataplane":       "weir/controlplane",
	} {
		out, err := exec.Command("go", "list", "-deps", role).Output()
		if err != nil {
			t.Fatalf("go list -deps %s: %v", role, err)
		}
		for dep := range strings.Lines(string(out)) {
			if dep = strings.TrimSpace(dep); dep == foreign || strings.HasPrefix(dep, foreign+"/") {
				t.Errorf("%s links %s", role, dep)
			}
		}
	}
}

func list(t *testing.T) []pkg {
	t.Helper()
	all, err := listed()
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// listed asks the go command once.
var listed = sync.OnceValues(func() ([]pkg, error) {
	out, err := exec.Command("go", "list", "-json=ImportPath,Name,Dir,Imports,GoFiles,IgnoredGoFiles,TestImports,XTestImports", "work").Output()
	if err != nil {
		return nil, fmt.Errorf("go list work: %w", err)
	}
	var all []pkg
	for dec := json.NewDecoder(strings.NewReader(string(out))); dec.More(); {
		var p pkg
		if err := dec.Decode(&p); err != nil {
			return nil, err
		}
		all = append(all, p)
	}
	if len(all) < 20 {
		return nil, fmt.Errorf("go list work named %d packages: is this the workspace?", len(all))
	}
	return all, nil
})

func allowed(path string) ([]string, bool) {
	for _, f := range floors {
		if slices.Contains(f.packages, path) {
			return f.may, true
		}
	}
	for _, f := range floors {
		if matches(f.packages, path) {
			return f.may, true
		}
	}
	return nil, false
}

func matches(patterns []string, path string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool {
		if prefix, ok := strings.CutSuffix(p, "*"); ok {
			return strings.HasPrefix(path, prefix)
		}
		return p == path
	})
}
