package draft_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"weir/controlplane/draft"
	"weir/controlplane/policy/own"
	"weir/controlplane/policy/rules"
	"weir/controlplane/review"
	"weir/controlplane/store"
	"weir/controlplane/store/storetest"
	"weir/shared/catalog"
	"weir/shared/catalog/form"
	"weir/shared/fault"
	"weir/shared/id"
	"weir/shared/script/scripttest"
	"weir/shared/secret"
	"weir/shared/wire"
	"weir/shared/workspace"
	"weir/shared/workspace/document"
)

var ann = store.Actor{Kind: store.ByPerson, ID: "usr_1", Name: "ann@example.com"}

// specs are kinds of the tests' own, so that they do not move with the real ones.
var specs = []catalog.Spec{
	{Family: catalog.Sources, Name: "http", Title: "HTTP"},
	{Family: catalog.Destinations, Name: "hook", Title: "Hook",
		Fields:  []catalog.Field{{Name: "url", Type: catalog.TypeURL, Required: true}, {Name: "batch", Type: catalog.TypeObject, Fields: []catalog.Field{{Name: "size", Type: catalog.TypeInteger}}}},
		Secrets: []catalog.Field{{Name: "password", Type: catalog.TypeString}}, SentTo: []string{"url"}},
	{Family: catalog.Destinations, Name: "hook-2", Title: "Hook 2"},
	{Family: catalog.Destinations, Name: "new", Title: "Newer than the plane"},
	{Family: catalog.Destinations, Name: "locked", Title: "Locked", Fields: []catalog.Field{{Name: "role", Type: catalog.TypeBoolean}}, Secrets: []catalog.Field{{Name: "password", Type: catalog.TypeString}},
		Form: &form.Form{Choices: []form.Choice{{Doc: "Give a password, or take the role.", Of: [][]string{{"password"}, {"role"}}}}}},
}

type harness struct {
	*draft.Service
	store *store.Store
	plane id.Plane

	// counts is what the plane answers, by the call's number from 0.
	counts func(call int) ([]wire.Count, error)
}

// open returns drafts over a store in which one plane of the region eu joined.
func open(t *testing.T) *harness {
	t.Helper()
	h := &harness{counts: func(int) ([]wire.Count, error) { return nil, nil }}
	calls := 0
	s := storetest.Open(t, store.Config{Database: storetest.SQLite(t)})
	book, err := rules.New(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	judge := own.NewJudge(own.Config{})
	t.Cleanup(judge.Close)
	reviews, err := review.New(review.Config{Store: s, Rules: book, Judge: judge})
	if err != nil {
		t.Fatal(err)
	}
	d, err := draft.New(draft.Config{Store: s, Review: reviews, Catalog: specs, Code: scripttest.Compiler(), Counts: func(context.Context, id.Plane) ([]wire.Count, error) {
		calls++
		return h.counts(calls - 1)
	}, Place: func(ctx context.Context, _ store.OrganizationID, region string) (store.Plane, error) {
		planes, err := s.Planes(ctx, region)
		if err == nil && len(planes) == 0 {
			err = fault.New(fault.Missing, "no plane")
		}
		if err != nil {
			return store.Plane{}, err
		}
		return planes[0], nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	joined := join(t, s, "eu", 1)
	h.Service, h.store, h.plane = d, s, joined.ID
	return h
}

// join lets a plane join; one in the region us is of a release before limits of outputs.
func join(t *testing.T, s *store.Store, region string, n byte) store.Plane {
	t.Helper()
	kinds := []wire.Kind{{Family: "source", Name: "http"}, {Family: "destination", Name: "hook"}, {Family: "destination", Name: "locked"}, wire.Kind{Family: "destination"}.Named("hook-2"), {Family: "transformation", Name: "javascript"}, wire.BoundSecrets()}
	if region != "us" {
		for _, name := range workspace.Additions() {
			kinds = append(kinds, wire.Kind{Family: "transformation", Name: name})
		}
	}
	token := store.Hash{n}
	now := time.Now()
	if err := s.CreateInvitation(t.Context(), ann, store.Invitation{Token: token, Region: region, Kind: store.Regional, CreatedAt: now, ExpiresAt: now.Add(time.Hour)}); err != nil {
		t.Fatal(err)
	}
	fill := func(add byte) []byte { return slices.Repeat([]byte{n + add}, 32) }
	p, err := s.JoinPlane(t.Context(), ann, token, store.Plane{
		ID: id.New[id.Plane](), Name: fmt.Sprintf("%s-%d", region, n), IdentityKey: fill(100), SealingKey: fill(120), SealingKeySignature: fill(140),
		NATSKey: fmt.Sprintf("U%055d", n), GatewayURL: "http://127.0.0.1:8090", ViewURL: "http://127.0.0.1:8091", Version: "1.2.3",
		Kinds: kinds,
	})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func decode(t *testing.T, text string) document.Document {
	t.Helper()
	doc, err := draft.Decode([]byte(text))
	if err != nil {
		t.Fatalf("Decode(%s): %v", text, err)
	}
	return doc
}

func (d *harness) apply(t *testing.T, text string) draft.Committed {
	t.Helper()
	done, err := d.Commit(t.Context(), ann, draft.Proposal{Organization: store.DefaultOrganization, Name: "acme", Document: decode(t, text), Prune: true}, draft.Unconditional)
	if err != nil {
		t.Fatalf("Commit(%s): %v", text, err)
	}
	return done
}

func (d *harness) config(t *testing.T) workspace.Config {
	t.Helper()
	ws, err := d.store.WorkspaceByName(t.Context(), store.DefaultOrganization, "acme")
	if err != nil {
		t.Fatal(err)
	}
	rev, err := d.store.Latest(t.Context(), ws.ID)
	if err != nil {
		t.Fatal(err)
	}
	return rev.Config
}

func codes(problems []fault.Problem) []string {
	out := make([]string, len(problems))
	for i, p := range problems {
		out[i] = p.Path + " " + p.Code
	}
	return out
}

const first = `{"workspace":"acme","region":"eu",
	"sources":[{"name":"web","type":"http"}],
	"destinations":[{"name":"a","type":"hook","settings":{"url":"http://127.0.0.1:9/","batch":{"size":12345678901234567}}}],
	"connections":[{"source":"web","destination":"a"}]}`

func TestCommitIsIdempotentAndKeepsIds(t *testing.T) {
	t.Parallel()
	d := open(t)
	one := d.apply(t, first)
	want := []draft.Change{
		{Op: draft.Add, Kind: "workspace", Name: "acme"}, {Op: draft.Add, Kind: "source", Name: "web"},
		{Op: draft.Add, Kind: "destination", Name: "a"}, {Op: draft.Add, Kind: "connection", Name: "web -> a"},
	}
	if diff := cmp.Diff(want, one.Changes); diff != "" || one.Number != 1 {
		t.Errorf("first commit is number %d, changes differ:\n%s", one.Number, diff)
	}
	before := d.config(t)
	if !strings.HasPrefix(before.Sources[0].WriteKey, "wk_") {
		t.Errorf("write key %q, want one that was made", before.Sources[0].WriteKey)
	}
	again := d.apply(t, first)
	if again.Number != 1 || len(again.Changes) != 0 || again.Workspace != one.Workspace {
		t.Errorf("repeated commit = %+v, want number 1 of %s without changes", again, one.Workspace)
	}
	two := d.apply(t, `{"workspace":"acme","region":"eu",
		"sources":[{"name":"site","was":"web","type":"http","disabled":true}],
		"destinations":[{"name":"a","type":"hook","settings":{"url":"http://127.0.0.1:9/","batch":{"size":12345678901234568}}},{"name":"b","type":"hook","settings":{"url":"http://127.0.0.1:8/"}}],
		"connections":[{"source":"site","destination":"b"}]}`)
	want = []draft.Change{
		{Op: draft.Rename, Kind: "source", Name: "site", Was: "web", Fields: []string{"disabled"}},
		{Op: draft.Alter, Kind: "destination", Name: "a", Fields: []string{"settings.batch.size"}},
		{Op: draft.Add, Kind: "destination", Name: "b"},
		{Op: draft.Add, Kind: "connection", Name: "site -> b"}, {Op: draft.Remove, Kind: "connection", Name: "web -> a"},
	}
	if diff := cmp.Diff(want, two.Changes); diff != "" || two.Number != 2 {
		t.Errorf("second commit is number %d, changes differ:\n%s", two.Number, diff)
	}
	after := d.config(t)
	if after.Sources[0].ID != before.Sources[0].ID || after.Sources[0].WriteKey != before.Sources[0].WriteKey {
		t.Errorf("the renamed source is %+v, want id and write key of %+v", after.Sources[0], before.Sources[0])
	}
	i := slices.IndexFunc(after.Destinations, func(x workspace.Destination) bool { return x.Name == "a" })
	if got := string(after.Destinations[i].Settings); !strings.Contains(got, "12345678901234568") {
		t.Errorf("settings %s lost a 64-bit integer", got)
	}
	// A file that still says `was` after the rename changes nothing more.
	third := d.apply(t, `{"workspace":"acme","region":"eu","sources":[{"name":"site","was":"web","type":"http","disabled":true},{"name":"web","type":"http"}]}`)
	if !slices.ContainsFunc(third.Changes, func(c draft.Change) bool { return c.Op == draft.Add && c.Name == "web" }) {
		t.Errorf("changes %+v, want a new source web", third.Changes)
	}
}

func TestExportAppliesAsUnchanged(t *testing.T) {
	t.Parallel()
	d := open(t)
	d.apply(t, first)
	doc, number, err := d.Export(t.Context(), store.DefaultOrganization, "acme")
	if err != nil || number != 1 {
		t.Fatalf("Export() = number %d, %v", number, err)
	}
	text, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	if again := d.apply(t, string(text)); again.Number != 1 {
		t.Errorf("applying the export made number %d with %+v", again.Number, again.Changes)
	}
}

func TestALimitOfOutputsIsKeptAndShown(t *testing.T) {
	t.Parallel()
	d := open(t)
	limited := func(limit string) string {
		return `{"workspace":"acme","region":"eu","transformations":[{"name":"t","language":"javascript","code":"export const transformEvent = e => e"` + limit + `}]}`
	}
	d.apply(t, limited(`,"maxOutputs":5`))
	doc, _, err := d.Export(t.Context(), store.DefaultOrganization, "acme")
	if err != nil || doc.Transformations[0].MaxOutputs != 5 || d.config(t).Transformations[0].MaxOutputs != 5 {
		t.Errorf("exported %+v, error %v, want the limit 5", doc.Transformations, err)
	}
	for _, limit := range []string{`,"maxOutputs":6`, ""} {
		changes := d.apply(t, limited(limit)).Changes
		if len(changes) != 1 || !slices.Equal(changes[0].Fields, []string{"maxOutputs"}) {
			t.Errorf("with %q changes are %+v, want maxOutputs", limit, changes)
		}
	}
}

func TestRulesOfConnectionsAreKeptAndShown(t *testing.T) {
	t.Parallel()
	d := open(t)
	ruled := func(rules string) string {
		return strings.Replace(first, `"destination":"a"}`, `"destination":"a"`+rules+`}`, 1)
	}
	d.apply(t, ruled(`,"events":{"allow":["A*"]},"filter":"event.type == 'track'","consent":{"categories":["ads"]}`))
	doc, _, err := d.Export(t.Context(), store.DefaultOrganization, "acme")
	if err != nil {
		t.Fatal(err)
	}
	if c := doc.Connections[0]; c.Events == nil || c.Filter != "event.type == 'track'" || c.Consent == nil || !slices.Equal(c.Events.Allow, []string{"A*"}) {
		t.Errorf("exported %+v", c)
	}
	for rules, want := range map[string][]string{
		`,"events":{"allow":["A*"]},"filter":"true","consent":{"categories":["ads"]}`:                                 {"filter"},
		`,"events":{"deny":["A*"]},"filter":"event.type == 'track'","consent":{"categories":["ads"],"require":"any"}`: {"consent.require", "events.allow", "events.deny"},
	} {
		changes, err := d.Diff(t.Context(), draft.Proposal{Organization: store.DefaultOrganization, Name: "acme", Document: decode(t, ruled(rules)), Prune: true})
		if err != nil || len(changes.Changes) != 1 || changes.Changes[0].Name != "web -> a" || !slices.Equal(changes.Changes[0].Fields, want) {
			t.Errorf("with %s: %+v, %v, want %q", rules, changes.Changes, err, want)
		}
	}
	_, err = d.Commit(t.Context(), ann, draft.Proposal{Organization: store.DefaultOrganization, Name: "acme", Document: decode(t, ruled(`,"events":{"deny":[""]},"filter":"event.","consent":{"categories":[]}`))}, 1)
	want := []string{"connections[0].events.deny[0] required", "connections[0].filter bad_expression", "connections[0].consent.categories required"}
	if got := codes(fault.ProblemsOf(err)); !slices.Equal(got, want) {
		t.Errorf("problems %q, want %q", got, want)
	}
}

func TestCategoriesOfConsentAreKeptAndShown(t *testing.T) {
	t.Parallel()
	d := open(t)
	categories := func(list string) []draft.Change {
		return d.apply(t, `{"workspace":"acme","region":"eu","consentCategories":[`+list+`]}`).Changes
	}
	categories(`{"name":"sales"},{"name":"ads"}`)
	doc, _, err := d.Export(t.Context(), store.DefaultOrganization, "acme")
	if want := []document.ConsentCategory{{Name: "ads"}, {Name: "sales"}}; err != nil || !slices.Equal(doc.ConsentCategories, want) {
		t.Errorf("exported %+v, error %v, want %+v", doc.ConsentCategories, err, want)
	}
	got := categories(`{"name":"ads","description":"Advertising"},{"name":"stats"}`)
	want := []draft.Change{{Op: draft.Alter, Kind: "consentCategory", Name: "ads", Fields: []string{"description"}},
		{Op: draft.Add, Kind: "consentCategory", Name: "stats"}, {Op: draft.Remove, Kind: "consentCategory", Name: "sales"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}
}

func TestWithoutPruneNothingIsRemoved(t *testing.T) {
	t.Parallel()
	d := open(t)
	d.apply(t, first)
	_, err := d.Commit(t.Context(), ann, draft.Proposal{Organization: store.DefaultOrganization, Name: "acme", Document: decode(t,
		`{"workspace":"acme","region":"eu","sources":[{"name":"app","type":"http"}],"connections":[{"source":"app","destination":"a"}]}`)}, 1)
	if err != nil {
		t.Fatal(err)
	}
	c := d.config(t)
	if len(c.Sources) != 2 || len(c.Destinations) != 1 || len(c.Connections) != 2 {
		t.Errorf("config has %d sources, %d destinations, %d connections; want 2, 1, 2", len(c.Sources), len(c.Destinations), len(c.Connections))
	}
}

func TestEveryProblemIsNamedAtOnce(t *testing.T) {
	t.Parallel()
	d := open(t)
	join(t, d.store, "us", 2)
	for name, tc := range map[string]struct {
		doc  string
		want []string
	}{
		"shape and references": {`{"workspace":"acme","region":"eu",
			"sources":[{"name":"web","type":"http"},{"name":"web","type":"telnet"}],
			"destinations":[{"name":"a","type":"hook","settings":{"uri":1}}],
			"connections":[{"source":"wep","destination":"a"},{"source":"web","destination":"b"}]}`,
			[]string{"sources[1].name duplicate_name", "sources[1].type unknown_type", "destinations[0].settings.url required", "destinations[0].settings.uri unknown_field", "connections[0].source unknown_source", "connections[1].destination unknown_destination"}},
		"a kind that the plane lacks": {`{"workspace":"acme","region":"eu","destinations":[{"name":"n","type":"new"},{"name":"h","type":"hook-2"}]}`,
			[]string{"destinations[0].type too_old"}},
		"a limit that the plane lacks": {`{"workspace":"acme","region":"us","transformations":[{"name":"t","language":"javascript","code":"export const transformEvent = e => e","maxOutputs":5}]}`,
			[]string{"transformations[0].maxOutputs too_old"}},
		"consent that is not known": {`{"workspace":"acme","region":"eu","consentCategories":[{"name":"ads"}],"sources":[{"name":"web","type":"http"}],"destinations":[{"name":"a","type":"hook","settings":{"url":"http://127.0.0.1/"}}],
			"connections":[{"source":"web","destination":"a","consent":{"categories":["ads","sales"]}}]}`, []string{"connections[0].consent.categories[1] unknown_category"}},
		"categories that the plane lacks": {`{"workspace":"acme","region":"us","consentCategories":[{"name":"ads"}]}`, []string{"consentCategories too_old"}},
		"neither of what is needed":       {`{"workspace":"acme","region":"eu","destinations":[{"name":"a","type":"locked","settings":{"role":true}},{"name":"b","type":"locked"}]}`, []string{"destinations[1].secrets.password required"}},
		"a region without a plane":        {`{"workspace":"acme","region":"ap"}`, []string{"region no_plane"}},
		"another address":                 {`{"workspace":"other","region":"eu"}`, []string{"workspace wrong_workspace"}},
		"a secret without a value": {`{"workspace":"acme","region":"eu","destinations":[{"name":"a","type":"hook","settings":{"url":"http://127.0.0.1/"},"secrets":{"password":{"version":1,"fingerprint":"` + at127("f") + `"}}}]}`,
			[]string{"destinations[0].secrets.password secret_missing"}},
		"a secret for a stranger": {`{"workspace":"acme","region":"eu","destinations":[{"name":"a","type":"hook","settings":{"url":"http://127.0.0.1/"},"secrets":{"password":{"version":1,"fingerprint":"` + at127("f") + `","sealed":{"pl_x":"` + strings.Repeat("AAAA", 20) + `"}}}}]}`,
			[]string{"destinations[0].secrets.password unknown_plane", "destinations[0].secrets.password secret_not_sealed"}},
	} {
		t.Run(name, func(t *testing.T) {
			diff, err := d.Diff(t.Context(), draft.Proposal{Organization: store.DefaultOrganization, Name: "acme", Document: decode(t, tc.doc), Prune: true})
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(tc.want, codes(diff.Problems)); d != "" {
				t.Errorf("problems differ (-want +got):\n%s", d)
			}
			_, err = d.Commit(t.Context(), ann, draft.Proposal{Organization: store.DefaultOrganization, Name: "acme", Document: decode(t, tc.doc), Prune: true}, draft.Unconditional)
			if d := cmp.Diff(diff.Problems, fault.ProblemsOf(err)); d != "" || err == nil {
				t.Errorf("Commit's problems are not Diff's (%v):\n%s", err, d)
			}
		})
	}
	if list, err := d.store.Workspaces(t.Context(), store.DefaultOrganization); err != nil || len(list) != 0 {
		t.Errorf("refused commits left %+v, %v", list, err)
	}
}

func TestRegionNeverChanges(t *testing.T) {
	t.Parallel()
	d := open(t)
	join(t, d.store, "us", 2)
	d.apply(t, first)
	_, err := d.Commit(t.Context(), ann, draft.Proposal{Organization: store.DefaultOrganization, Name: "acme", Document: decode(t, strings.Replace(first, `"eu"`, `"us"`, 1)), Prune: true}, draft.Unconditional)
	want := []string{"region region_changed", "region region_mismatch"}
	if d := cmp.Diff(want, codes(fault.ProblemsOf(err))); d != "" {
		t.Errorf("problems differ (-want +got):\n%s", d)
	}
}

func TestSomeoneElseWasFaster(t *testing.T) {
	t.Parallel()
	d := open(t)
	d.apply(t, first)
	_, err := d.Commit(t.Context(), ann, draft.Proposal{Organization: store.DefaultOrganization, Name: "acme", Document: decode(t, `{"workspace":"acme","region":"eu"}`), Prune: true}, 0)
	if err == nil || fault.KindOf(err) != fault.Conflict {
		t.Errorf("Commit on base 0 = %v, want conflict", err)
	}
	if err := d.Delete(t.Context(), ann, store.DefaultOrganization, "acme", 7, false); err == nil || fault.KindOf(err) != fault.Conflict {
		t.Errorf("Delete on base 7 = %v, want conflict", err)
	}
}

// mark is a fingerprint of a secret that is sealed for an address.
func mark(value, url string) string {
	return secret.Fingerprint(secret.OfDestination("ws_a", "dst_a", "password", 1), secret.Binding("hook url="+url), []byte(value))
}

// at127 is marks of the secrets of secretive.
func at127(value string) string { return mark(value, "http://127.0.0.1:80") }

func secretive(version int, fingerprint, envelope string) string {
	return secretiveAt("http://127.0.0.1/", version, fingerprint, envelope)
}

func secretiveAt(url string, version int, fingerprint, envelope string) string {
	sealed := ""
	if envelope != "" {
		sealed = `,"sealed":{` + envelope + `}`
	}
	return fmt.Sprintf(`{"workspace":"acme","region":"eu","destinations":[{"name":"a","type":"hook","settings":{"url":%q},"secrets":{"password":{"version":%d,"fingerprint":%q%s}}}]}`, url, version, fingerprint, sealed)
}

func TestSecretsHaveVersions(t *testing.T) {
	t.Parallel()
	d := open(t)
	f1, f2 := at127("one"), at127("two")
	envelope := fmt.Sprintf(`%q:"%s"`, d.plane, strings.Repeat("AAAA", 20))
	if one := d.apply(t, secretive(1, f1, envelope)); one.Number != 1 {
		t.Fatalf("first commit is number %d", one.Number)
	}
	if same := d.apply(t, secretive(1, f1, "")); same.Number != 1 {
		t.Errorf("an unchanged secret made number %d", same.Number)
	}
	if same := d.apply(t, secretive(1, f1, envelope)); same.Number != 1 {
		t.Errorf("a repeated envelope made number %d", same.Number)
	}
	for name, tc := range map[string]struct{ doc, want string }{
		"another fingerprint without a value": {secretive(1, f2, ""), "secret_mismatch"},
		"a used version":                      {secretive(1, f2, envelope), "secret_version"},
		"an unknown version without a value":  {secretive(2, f2, ""), "secret_missing"},
		"an envelope that is none":            {secretive(2, f2, fmt.Sprintf(`%q:"AAAA"`, d.plane)), "bad_envelope"},
	} {
		diff, err := d.Diff(t.Context(), draft.Proposal{Organization: store.DefaultOrganization, Name: "acme", Document: decode(t, tc.doc), Prune: true})
		if err != nil || len(diff.Problems) != 1 || diff.Problems[0].Code != tc.want {
			t.Errorf("%s: problems %+v, %v; want %s", name, diff.Problems, err, tc.want)
		}
	}
	two := d.apply(t, secretive(2, f2, envelope))
	if want := []draft.Change{{Op: draft.Alter, Kind: "destination", Name: "a", Fields: []string{"secrets.password"}}}; two.Number != 2 || cmp.Diff(want, two.Changes) != "" {
		t.Errorf("a changed secret made %+v, want number 2 with %+v", two, want)
	}
	doc, _, err := d.Export(t.Context(), store.DefaultOrganization, "acme")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := doc.Destinations[0].Secrets["password"], (document.Secret{Version: 2, Fingerprint: f2}); cmp.Diff(want, got) != "" {
		t.Errorf("export has %+v, want %+v", got, want)
	}
}

func TestASecretIsGivenAgainWhenItIsSentElsewhere(t *testing.T) {
	t.Parallel()
	d := open(t)
	envelope := fmt.Sprintf(`%q:"%s"`, d.plane, strings.Repeat("AAAA", 20))
	d.apply(t, secretive(1, at127("one"), envelope))
	problems := func(doc string) []string {
		t.Helper()
		diff, err := d.Diff(t.Context(), draft.Proposal{Organization: store.DefaultOrganization, Name: "acme", Document: decode(t, doc), Prune: true})
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range diff.Problems {
			if p.Code == "secret_elsewhere" && (!strings.Contains(p.Text, "password") || !strings.Contains(p.Text, "again")) {
				t.Errorf("the text %q does not say which secret and what to do", p.Text)
			}
		}
		return codes(diff.Problems)
	}
	elsewhere := []string{"destinations[0].secrets.password secret_elsewhere"}
	for name, tc := range map[string]struct {
		doc  string
		want []string
	}{
		"the same place":            {secretiveAt("HTTP://127.0.0.1:80/other?path", 1, at127("one"), ""), []string{}},
		"another host":              {secretiveAt("http://evil.example/", 1, at127("one"), ""), elsewhere},
		"another port":              {secretiveAt("http://127.0.0.1:8080/", 1, at127("one"), ""), elsewhere},
		"another scheme":            {secretiveAt("https://127.0.0.1:80/", 1, at127("one"), ""), elsewhere},
		"another kind":              {strings.Replace(secretive(1, at127("one"), ""), `"hook","settings":{"url":"http://127.0.0.1/"}`, `"new"`, 1), append([]string{"destinations[0].secrets.password unknown_field", "destinations[0].type too_old"}, elsewhere...)},
		"an envelope for the other": {secretiveAt("http://evil.example/", 2, at127("one"), envelope), elsewhere},
		"given again":               {secretiveAt("http://good.example/", 2, mark("one", "http://good.example:80"), envelope), []string{}},
		"without a place":           {secretive(2, "f2", envelope), []string{"destinations[0].secrets.password secret_unbound"}},
	} {
		got := problems(tc.doc)
		slices.Sort(got)
		slices.Sort(tc.want)
		if diff := cmp.Diff(tc.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestASecretOfTheReleaseBeforeStaysWhereItIs(t *testing.T) {
	t.Parallel()
	d := open(t)
	d.apply(t, secretive(1, at127("one"), fmt.Sprintf(`%q:"%s"`, d.plane, strings.Repeat("AAAA", 20))))
	ws, err := d.store.WorkspaceByName(t.Context(), store.DefaultOrganization, "acme")
	if err != nil {
		t.Fatal(err)
	}
	c := d.config(t)
	c.Destinations[0].Secrets = map[string]secret.Ref{"password": {Version: 2, Fingerprint: "f2"}} // as the release before wrote it
	body, digest, err := workspace.Encode(c)
	if err != nil {
		t.Fatal(err)
	}
	_, err = d.store.AppendRevision(t.Context(), ann, store.Commit{Workspace: ws, Expected: ws.Number, Config: c, Digest: digest, Body: body, Secrets: []store.Secret{{
		Name: secret.OfDestination(ws.ID, c.Destinations[0].ID, "password", 2), Fingerprint: "f2", Sealed: map[id.Plane]secret.Sealed{d.plane: make([]byte, 60)}}}})
	if err != nil {
		t.Fatal(err)
	}
	for doc, want := range map[string][]string{
		secretive(2, "f2", ""):                           {},
		secretiveAt("http://127.0.0.1/x", 2, "f2", ""):   {},
		secretiveAt("http://evil.example/", 2, "f2", ""): {"destinations[0].secrets.password secret_elsewhere"},
		strings.Replace(secretiveAt("http://evil.example/", 2, "f2", fmt.Sprintf(`%q:"%s"`, d.plane, strings.Repeat("AAAA", 20))), `{"name":"a"`, `{"name":"b"`, 1): {"destinations[0].secrets.password secret_unbound"},
	} {
		diff, err := d.Diff(t.Context(), draft.Proposal{Organization: store.DefaultOrganization, Name: "acme", Document: decode(t, doc), Prune: true})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, codes(diff.Problems)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", doc, diff)
		}
	}
}

func TestWhatWaitsIsNotLostByAccident(t *testing.T) {
	t.Parallel()
	away := fault.New(fault.Unavailable, "Plane eu-1 was not heard for 50s.")
	for name, tc := range map[string]struct {
		count     wire.Count
		err       error
		diff      string // what a difference says already, since it does not pass by waiting
		code, say string // what a removal says
	}{
		"parked":    {wire.Count{Parked: 7}, nil, "destinations parked_deliveries", "parked_deliveries", "7 parked deliveries"},
		"staged":    {wire.Count{Staged: 8}, nil, "", "parked_deliveries", "8 events that are not loaded yet"},
		"in flight": {wire.Count{InFlight: 9}, nil, "", "parked_deliveries", "9 deliveries under way"},
		"away":      {wire.Count{}, away, "destinations plane_away", "plane_away", "Plane eu-1 was not heard for 50s."},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := open(t)
			done := d.apply(t, first)
			c := d.config(t)
			tc.count.Workspace, tc.count.Source, tc.count.Destination = done.Workspace, c.Sources[0].ID, c.Destinations[0].ID
			other := tc.count
			other.Workspace, other.Parked = "ws_other", 99
			d.counts = func(int) ([]wire.Count, error) { return []wire.Count{tc.count, other}, tc.err }
			p := draft.Proposal{Organization: store.DefaultOrganization, Name: "acme", Document: decode(t, `{"workspace":"acme","region":"eu","sources":[{"name":"web","type":"http"}]}`), Prune: true}
			diff, err := d.Diff(t.Context(), p)
			if got := strings.Join(codes(diff.Problems), ","); err != nil || got != tc.diff {
				t.Errorf("difference: problems %q, %v; want %q", got, err, tc.diff)
			}
			refused := func(what string, err error) {
				t.Helper()
				problems := fault.ProblemsOf(err)
				if len(problems) != 1 || problems[0].Code != tc.code || !strings.Contains(problems[0].Text, tc.say) || !strings.Contains(problems[0].Text, "--discard-parked") {
					t.Errorf("%s: %v, want %s with %q and the way out", what, err, tc.code, tc.say)
				}
			}
			_, err = d.Commit(t.Context(), ann, p, draft.Unconditional)
			refused("removing the destination", err)
			refused("deleting the workspace", d.Delete(t.Context(), ann, store.DefaultOrganization, "acme", draft.Unconditional, false))
			keep := draft.Proposal{Organization: store.DefaultOrganization, Name: "acme", Document: p.Document}
			if _, err := d.Commit(t.Context(), ann, keep, draft.Unconditional); err != nil {
				t.Errorf("a change that removes nothing: %v", err)
			}
			p.DiscardParked = true
			if done, err := d.Commit(t.Context(), ann, p, draft.Unconditional); err != nil || done.Number != 2 {
				t.Errorf("discarding on purpose = %+v, %v; want number 2", done, err)
			}
			if err := d.Delete(t.Context(), ann, store.DefaultOrganization, "acme", 2, false); err != nil {
				t.Errorf("deleting without destinations: %v", err)
			}
			if _, _, err := d.Export(t.Context(), store.DefaultOrganization, "acme"); err == nil || fault.KindOf(err) != fault.Missing {
				t.Errorf("Export of a deleted workspace = %v, want missing", err)
			}
		})
	}
}

func TestARemovalWaitsForWhatIsUnderWay(t *testing.T) {
	t.Parallel()
	d := open(t)
	done := d.apply(t, first)
	c := d.config(t)
	d.counts = func(call int) ([]wire.Count, error) {
		return []wire.Count{{Workspace: done.Workspace, Source: c.Sources[0].ID, Destination: c.Destinations[0].ID, InFlight: uint64(max(0, 2-call))}}, nil
	}
	p := draft.Proposal{Organization: store.DefaultOrganization, Name: "acme", Document: decode(t, `{"workspace":"acme","region":"eu"}`), Prune: true}
	if done, err := d.Commit(t.Context(), ann, p, draft.Unconditional); err != nil || done.Number != 2 {
		t.Errorf("a removal while two deliveries are under way = %+v, %v; want number 2", done, err)
	}
}

func TestDecodeNamesThePath(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`{"workspace":"a","region":"eu","destinations":[{"name":"x"},{"name":7}]}`: "destinations[1].name wrong_type",
		`{"workspace":"a","region":"eu","sources":[{"nane":"x"}]}`:                 "sources[0].nane unknown_field",
		`{"workspace":"a","workspace":"b"}`:                                        "workspace duplicate_field",
		`{"workspace":`:                                                            "workspace malformed",
		`[]`:                                                                       " wrong_type",
	} {
		_, err := draft.Decode([]byte(text))
		if got := strings.Join(codes(fault.ProblemsOf(err)), ","); got != want {
			t.Errorf("Decode(%s) = %q, want %q", text, got, want)
		}
	}
}

func TestARefusalSpeaksOfTheDocument(t *testing.T) {
	t.Parallel()
	c := workspace.Config{
		Sources:      []workspace.Source{{ID: "src_1", Name: "zoo"}, {ID: "src_2", Name: "app"}},
		Destinations: []workspace.Destination{{ID: "dst_1", Name: "b"}},
		Connections:  []workspace.Connection{{Source: "src_1", Destination: "dst_1"}, {Source: "src_2", Destination: "dst_1"}},
	}
	got := draft.Explain(c, []wire.Problem{{Path: "sources[0].type", Code: "unknown_type"}, {Path: "connections[1]", Code: "x"}, {Path: "sources[9]", Code: "y"}, {Path: "destinations[0].settings.machineRole", Code: "guard_machine_role"}})
	want := []fault.Problem{
		{Path: "sources[1].type", Code: "unknown_type", Text: "The plane refuses this in zoo: unknown_type."},
		{Path: "connections[0]", Code: "x", Text: "The plane refuses this in app -> b: x."},
		{Path: "sources[9]", Code: "y", Text: "The plane refuses this: y."},
		{Path: "destinations[0].settings.machineRole", Code: "guard_machine_role", Text: "The plane refuses this in b: guard_machine_role (the plane's owner allows it by naming this type below destinations, machineRole in guard.yaml, and starting the plane anew)."},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("Explain differs (-want +got):\n%s", d)
	}
}

func TestLibrariesAreKnownByName(t *testing.T) {
	t.Parallel()
	d := open(t)
	const lib = `{"name":"text","language":"javascript","code":"export const cut = (s) => s;"}`
	d.apply(t, `{"workspace":"acme","region":"eu","libraries":[`+lib+`]}`)
	if got := d.config(t).Libraries; len(got) != 1 || got[0].Name != "text" {
		t.Fatalf("libraries = %v, want text", got)
	}
	proposal := draft.Proposal{Organization: store.DefaultOrganization, Name: "acme", Document: decode(t, `{"workspace":"acme","region":"eu","libraries":[{"name":"text","language":"javascript","code":"export {};"},{"name":"more","language":"javascript","code":"export {};"}]}`)}
	diff, err := d.Diff(t.Context(), proposal)
	if err != nil {
		t.Fatal(err)
	}
	want := []draft.Change{{Op: draft.Alter, Kind: "library", Name: "text", Fields: []string{"code"}}, {Op: draft.Add, Kind: "library", Name: "more"}}
	if d := cmp.Diff(want, diff.Changes); d != "" {
		t.Errorf("changes (-want +got):\n%s", d)
	}
	d.apply(t, `{"workspace":"acme","region":"eu"}`)
	if got := d.config(t).Libraries; len(got) != 0 {
		t.Errorf("libraries after pruning = %v, want none", got)
	}
}
