package e2e_test

import (
	"io"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"weir/shared/telemetry/telemetrytest"
)

// buildImages builds the binaries of the roles' images and returns their folder.
func buildImages(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if out, err := exec.Command("go", "build", "-o", dir, "weir/controlplane/cmd/controlplane", "weir/dataplane/cmd/dataplane").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return dir
}

// TestTheImagesRunTheRolesOfWeir runs both roles by the binaries of their images
// and compares their flags with those of `weir`.
func TestTheImagesRunTheRolesOfWeir(t *testing.T) {
	images := buildImages(t)
	weir, image := &roles{t: t}, &roles{t: t, images: images}
	for _, role := range [][]string{{"controlplane"}, {"dataplane"}, {"dataplane", "join"}} {
		flags := func(r *roles) []string {
			program, args := r.role(role[0], append(role[1:], "--help")...)
			return flagsOf(runCommand(t, 0, "", program, args...))
		}
		want, got := flags(weir), flags(image)
		if len(want) < 5 {
			t.Errorf("weir %s has the flags %q", strings.Join(role, " "), want)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("flags and defaults of %s (-weir +image):\n%s", strings.Join(role, " "), d)
		}
		program, args := image.role(role[0], append(role[1:], "--bogus")...)
		if said := runCommand(t, 2, "", program, args...); !strings.Contains(said, "--help'") {
			t.Errorf("%s --bogus says %q", strings.Join(role, " "), said)
		}
	}

	collector := telemetrytest.Collect(t)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.URL)
	t.Setenv("OTEL_TRACES_SAMPLER", "always_on")
	t.Setenv("OTEL_BSP_SCHEDULE_DELAY", "100")
	t.Setenv("WEIR_LOG_FORMAT", "json")
	hook := newSink(t)
	r := newRoles(t)
	r.images = images
	r.start()
	r.plane.line(`^{.*"msg":"data plane runs"`)
	r.apply(0, hookConfig("acme", "eu", "wk_web", map[string]string{"hook": hook.URL}))
	accept(t, "http://"+r.gateway, "/v1/track", "wk_web", `{"userId":"u","event":"E","messageId":"m"}`)
	until(t, "the event at the webhook", func() bool { return hook.ids()["m"] == 1 })
	until(t, "spans at the collector", func() bool { return len(collector.Spans()) > 0 })
	if got := metric(t, r.metrics, "go_gc_gogc_percent"); got != "250" {
		t.Errorf("the garbage collector of the plane runs at %q percent, not at 250", got)
	}
	r.plane.stop()
	r.control.stop()
}

// flagsOf returns the lines about flags of a help text, without those that every
// program or only `weir` has.
func flagsOf(help string) (flags []string) {
	for line := range strings.Lines(help) {
		words := strings.Fields(line)
		if len(words) > 0 && strings.HasPrefix(words[0], "--") && words[0] != "--output" {
			flags = append(flags, strings.Join(words, " "))
		}
	}
	return flags
}

// metric returns a value of the metrics address.
func metric(t *testing.T, address, name string) string {
	t.Helper()
	res, err := client.Get("http://" + address + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`(?m)^` + name + ` (\S+)$`).FindSubmatch(text)
	if found == nil {
		t.Fatalf("%s is no metric of %s", name, address)
	}
	return string(found[1])
}
