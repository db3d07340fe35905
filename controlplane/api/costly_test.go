package api_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"weir/controlplane/store"
	"weir/controlplane/store/storetest"
	"weir/shared/script"
)

// TestStatusNamesTheWorkspaceWhoseCodeIsCostly saves code that no parser survives in one
// workspace and good code in another: the first save is refused, the second is not, and
// status has the alarm at the first workspace alone.
func TestStatusNamesTheWorkspaceWhoseCodeIsCostly(t *testing.T) {
	t.Parallel()
	d := openWith(t, storetest.Open(t, store.Config{Database: storetest.SQLite(t)}), script.NewCompiler(script.Config{CPU: time.Second}))
	d.join()
	save := func(ws, code string) answer {
		text, err := json.Marshal(code)
		if err != nil {
			t.Fatal(err)
		}
		return d.as("editor", "PUT", "/api/v1/workspaces/"+ws+"/config", applying(fmt.Sprintf(`{"id":"ws_%[1]s","workspace":%[1]q,"region":"eu",
			"sources":[{"name":"web","type":"http","writeKey":"wk_%[1]s"}],
			"transformations":[{"name":"shape","language":"javascript","code":%[2]s}]}`, ws, text)))
	}
	const simple = "export const transformEvent = e => e"
	d.want(save("evil", simple), 200)
	d.want(save("good", simple), 200)
	refused := d.want(save("evil", strings.Repeat("[", 200_000)+"\n"+simple), 422)
	if !strings.Contains(string(refused.text), string(script.CodeTooComplex)) {
		t.Errorf("the refusal is %s, want the code %s", refused.text, script.CodeTooComplex)
	}
	d.want(save("good", simple+";"), 200)
	var status struct {
		Workspaces []struct {
			Name   string
			Alarms []struct{ Code string }
		}
	}
	if err := json.Unmarshal(d.want(d.as("viewer", "GET", "/api/v1/status", ""), 200).text, &status); err != nil {
		t.Fatal(err)
	}
	costly := map[string]bool{}
	for _, ws := range status.Workspaces {
		costly[ws.Name] = false
		for _, a := range ws.Alarms {
			costly[ws.Name] = costly[ws.Name] || a.Code == "code_costly"
		}
	}
	if fmt.Sprint(costly) != "map[evil:true good:false]" {
		t.Errorf("costly by workspace: %v, want the evil one alone", costly)
	}
}
