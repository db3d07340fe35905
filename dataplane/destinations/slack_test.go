package destinations_test

import (
	"net/http"
	"slices"
	"testing"

	"weir/dataplane/destination"
	"weir/dataplane/destination/destinationtest"
	"weir/dataplane/destinations"
)

// kind is the kind of a name.
func kind(t *testing.T, name string) destination.Kind {
	t.Helper()
	all := destinations.All()
	i := slices.IndexFunc(all, func(k destination.Kind) bool { return k.Spec.Name == name })
	if i < 0 {
		t.Fatalf("there is no kind %s", name)
	}
	return all[i]
}

// TestSlackGetsMessagesAtTheSecretAddress: what is built to the base is sent to the
// path of the secret.
func TestSlackGetsMessagesAtTheSecretAddress(t *testing.T) {
	t.Parallel()
	server := destinationtest.NewServer(t)
	refused := false
	server.Answer(func(w http.ResponseWriter, _ *http.Request) {
		if refused {
			http.Error(w, "no_service", http.StatusNotFound)
		}
		refused = true
	})
	got := destinationtest.Send(t, kind(t, "slack"), `{"template":"{event}","baseUrl":"`+server.URL+`"}`,
		map[string]string{"webhookUrl": "https://hooks.slack.com/services/T0/B0/made-up"},
		`{"messageId":"m1","type":"track","userId":"ada","event":"A"}`)
	if want := []string{"delivered"}; !slices.Equal(got, want) {
		t.Errorf("results %v, want %v", got, want)
	}
	got = destinationtest.Send(t, kind(t, "slack"), `{"template":"{event}","baseUrl":"`+server.URL+`"}`,
		map[string]string{"webhookUrl": "https://hooks.slack.com/services/T0/B0/made-up"},
		`{"messageId":"m2","type":"track","userId":"ada","event":"B"}`)
	if want := []string{"dead slack_webhook"}; !slices.Equal(got, want) {
		t.Errorf("results %v, want %v", got, want)
	}
	for _, r := range server.Received() {
		if r.Path != "/services/T0/B0/made-up" || r.Method != http.MethodPost {
			t.Errorf("received %s %s", r.Method, r.Path)
		}
	}
}
