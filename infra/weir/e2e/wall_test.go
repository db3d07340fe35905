package e2e_test

import (
	"encoding/base64"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"
)

// TestAPlaneSeesNothingOfAnotherRegion takes the US plane's own credentials,
// subscribes to everything and asks every JetStream API for what belongs to the EU.
func TestAPlaneSeesNothingOfAnotherRegion(t *testing.T) {
	t.Parallel()
	hook := newSink(t)
	_, in := dev(t, t.TempDir(), hookConfig("acme-eu", "eu", "wk_eu", map[string]string{"hook": hook.URL})+"---\n"+hookConfig("acme-us", "us", "wk_us", map[string]string{"hook": hook.URL}), "--regions", "eu,us")
	var status struct {
		Planes     []struct{ ID, Region string }
		Workspaces []struct{ ID, Region string }
	}
	if err := json.Unmarshal([]byte(fetch(t, in.Control+"/api/v1/status", in.Token)), &status); err != nil {
		t.Fatal(err)
	}
	var foreign []string // what a US plane must not see
	euPlane, usPlane := "", ""
	for _, p := range status.Planes {
		if p.Region == "eu" {
			euPlane = p.ID
		} else {
			usPlane = p.ID
		}
	}
	for _, w := range status.Workspaces {
		if w.Region == "eu" {
			foreign = append(foreign, w.ID)
		}
	}
	foreign = append(foreign, euPlane, "acme-eu", "wk_eu")
	if euPlane == "" || usPlane == "" || len(foreign) != 4 {
		t.Fatalf("status: %+v", status)
	}

	nc, heard := rawClient(t, in, filepath.Join(in.Dir, "planes", "us"), usPlane)
	_, _ = nc.Subscribe(">", heard.take) // the violation comes through the error handler
	_, _ = nc.Subscribe("_INBOX_"+usPlane+".>", heard.take)
	subjects := []string{"$JS.API.INFO", "$JS.API.STREAM.NAMES", "$JS.API.STREAM.LIST"}
	for _, bucket := range []string{"POINTERS", "BODIES", "SECRETS", "ACKS", "BEATS"} {
		s := "KV_" + bucket
		subjects = append(subjects, "$JS.API.STREAM.INFO."+s, "$JS.API.STREAM.MSG.GET."+s, "$JS.API.DIRECT.GET."+s, "$JS.API.CONSUMER.NAMES."+s, "$JS.API.CONSUMER.LIST."+s,
			"$JS.API.CONSUMER.CREATE."+s, "$JS.API.CONSUMER.MSG.NEXT."+s+"."+euPlane, "$JS.API.CONSUMER.INFO."+s+"."+euPlane,
			"$JS.API.DIRECT.GET."+s+".$KV."+bucket+"."+euPlane+".>", "$JS.API.DIRECT.GET."+s+".$KV."+bucket+"."+euPlane,
			"$JS.API.CONSUMER.CREATE."+s+"."+euPlane+".$KV."+bucket+"."+euPlane+".>", "$JS.API.CONSUMER.CREATE."+s+"."+usPlane+".$KV."+bucket+"."+usPlane+".>")
	}
	bodies := []string{"", `{"last_by_subj":"$KV.POINTERS.` + euPlane + `.>"}`, `{"seq":1}`, `{"multi_last":[">"]}`,
		`{"stream_name":"KV_POINTERS","config":{"name":"` + usPlane + `","filter_subject":"$KV.POINTERS.` + euPlane + `.>","ack_policy":"none","deliver_policy":"all"}}`,
		`{"stream_name":"KV_POINTERS","config":{"name":"` + usPlane + `","filter_subject":">","ack_policy":"none","deliver_policy":"all","deliver_subject":"_INBOX_` + usPlane + `.all"}}`}
	for _, subject := range subjects {
		for _, body := range bodies {
			if err := nc.PublishRequest(subject, "_INBOX_"+usPlane+".probe", []byte(body)); err != nil {
				t.Fatalf("%s: %v", subject, err)
			}
		}
	}
	_ = nc.PublishRequest("$JS.API.CONSUMER.MSG.NEXT.KV_POINTERS."+usPlane, "_INBOX_"+usPlane+".probe", []byte(`{"batch":100,"no_wait":true}`))
	if err := nc.FlushTimeout(patience); err != nil {
		t.Fatal(err)
	}
	// A US revision makes traffic while the client listens, an EU one too.
	file := filepath.Join(t.TempDir(), "more.yaml")
	write(t, file, hookConfig("acme-eu", "eu", "wk_eu", map[string]string{"hook": hook.URL, "more": hook.URL}))
	run(t, 0, "", "apply", "-f", file, "--data-dir", in.Dir)
	if err := nc.FlushTimeout(patience); err != nil {
		t.Fatal(err)
	}
	until(t, "violations told to the client", func() bool { return heard.count() > 0 })
	for _, text := range heard.all() {
		for _, name := range foreign {
			// The client's own requests name the EU plane; answers that quote a filter it sent are not knowledge.
			if strings.Contains(text, name) && !strings.Contains(text, `"error"`) {
				t.Errorf("a US plane's client got %q: %.300s", name, text)
			}
		}
	}
}

// ears keep what a client is sent, and the errors that it is told.
type ears struct {
	mu    sync.Mutex
	texts []string
	errs  int
}

func (e *ears) take(m *nats.Msg) {
	e.mu.Lock()
	defer e.mu.Unlock()
	head := ""
	for k, v := range m.Header {
		head += k + ":" + strings.Join(v, ",") + " "
	}
	e.texts = append(e.texts, m.Subject+" "+head+string(m.Data))
}

func (e *ears) all() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return append([]string(nil), e.texts...)
}

func (e *ears) count() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.errs
}

func rawClient(t *testing.T, in installation, planeDir, plane string) (*nats.Conn, *ears) {
	t.Helper()
	seed, err := os.ReadFile(filepath.Join(planeDir, "hub.nk"))
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(planeDir, "plane.json"))
	if err != nil {
		t.Fatal(err)
	}
	jwt := field(t, string(b), "jwt")
	clear, err := base64.StdEncoding.DecodeString(strings.TrimSpace(string(seed)))
	if err != nil {
		t.Fatal(err)
	}
	keys, err := nkeys.FromSeed(clear)
	if err != nil {
		t.Fatal(err)
	}
	heard := &ears{}
	nc, err := nats.Connect(in.Hub, nats.UserJWT(func() (string, error) { return jwt, nil }, keys.Sign), nats.CustomInboxPrefix("_INBOX_"+plane), nats.Timeout(patience),
		nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {
			heard.mu.Lock()
			defer heard.mu.Unlock()
			heard.errs++
		}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	return nc, heard
}
