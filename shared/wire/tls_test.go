package wire_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"os"
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nkeys"

	"weir/shared/fault"
	"weir/shared/id"
	"weir/shared/secret"
	"weir/shared/wire"
	"weir/shared/wire/access/accesstest"
	"weir/shared/wire/edge"
	"weir/shared/wire/hub"
)

// TestBothEndsReachAHubThatDemandsCertificates also lets a plane sign in with a file of
// credentials in place of what joining brought.
func TestBothEndsReachAHubThatDemandsCertificates(t *testing.T) {
	t.Parallel()
	authority := accesstest.NewAuthority(t)
	certFile, keyFile := authority.Issue("hub")
	cert, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		t.Fatal(err)
	}
	trusted := x509.NewCertPool()
	if text, err := os.ReadFile(authority.File); err != nil || !trusted.AppendCertsFromPEM(text) {
		t.Fatal("the authority has no certificate", err)
	}
	server, err := hub.Serve(t.Context(), hub.ServerConfig{
		Dir: t.TempDir(), Listen: "127.0.0.1:0",
		TLS: &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{cert}, ClientCAs: trusted, ClientAuth: tls.RequireAndVerifyClientCert},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	public, control, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	cfg := hub.Config{
		Address: server.Address(), Files: authority.Files(), Operator: server.Operator(), Key: control,
		PlaneKey: func(id.Plane) (ed25519.PublicKey, bool) { return nil, false },
	}
	end, err := hub.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(end.Close)
	user, err := nkeys.CreateUser()
	if err != nil {
		t.Fatal(err)
	}
	userKey, _ := user.PublicKey()
	seed, _ := user.Seed()
	plane, account := id.New[id.Plane](), hub.Account{Region: "eu"}
	token, err := end.Enrol(t.Context(), account, userKey, plane)
	if err != nil {
		t.Fatal(err)
	}
	_, identity, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	sealing, err := secret.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	dial := edge.Config{
		Address: server.Address(), Files: authority.Files(), Credentials: wire.Credentials{JWT: token, Seed: secret.NewString(string(seed))},
		Plane: plane, Region: "eu", ControlKey: public, Identity: identity, Sealing: sealing,
	}
	connects := func(what string) {
		t.Helper()
		e, err := edge.Dial(dial)
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		defer e.Close()
		for deadline := time.Now().Add(time.Minute); !e.Connected(); time.Sleep(5 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("%s: the plane does not reach the hub", what)
			}
		}
	}
	connects("with what joining brought")
	creds, err := jwt.FormatUserConfig(token, seed)
	if err != nil {
		t.Fatal(err)
	}
	dial.Files.Creds, dial.Credentials = accesstest.Write(t, "plane.creds", creds), wire.Credentials{}
	connects("with a file of credentials")

	cfg.Address = "nats://weir:s3cret@127.0.0.1:1"
	if _, err := hub.New(cfg); fault.KindOf(err) != fault.Invalid {
		t.Errorf("New = %v with a user in the address, want invalid", err)
	}
}
