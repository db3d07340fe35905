package telemetry

import (
	"net/http"
	"net/http/pprof"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// NewRegistry returns a registry that already holds the metrics of the Go
// runtime and of the process; a process has one, further ones (a second plane)
// are plain registries whose metrics carry the label plane. Names of ours are weir_<engine>_<noun>_<unit>;
// labels are plane, engine, kind and code, never an event, property, user or
// host.
func NewRegistry() *prometheus.Registry {
	r := prometheus.NewRegistry()
	r.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return r
}

// Handler serves GET /metrics and /debug/pprof/ of one process. Several
// registries (two planes in one process) are given out as one. It knows no
// authentication: it belongs on a loopback or internal address, on a listener
// of its own.
func Handler(registries ...*prometheus.Registry) http.Handler {
	all := make(prometheus.Gatherers, len(registries))
	for i, r := range registries {
		all[i] = r
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(all, promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError}))
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("POST /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	return mux
}
