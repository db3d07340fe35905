package main_test

import (
	"bytes"
	"flag"
	"fmt"
	"go/ast"
	"go/build/constraint"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the table of floors in docs/house.md")

// The size of a room. A package that has to be larger says why in larger.
const (
	mostLines    = 1500 // of code that is neither generated nor a test
	mostExported = 30   // names at the top of a package
)

// larger names the packages over one of the limits, with what they are held to
// instead and the reason.
var larger = map[string]struct {
	lines, exported int
	reason          string
}{
	"weir/shared/capability": {mostLines, 40, "it names each action of a plane's view"},
}

// source is one parsed file of a package.
type source struct {
	name      string
	text      []byte
	file      *ast.File
	generated bool
}

// read parses files of a package.
func read(t *testing.T, p pkg, names []string) []source {
	t.Helper()
	var all []source
	for _, name := range names {
		path := filepath.Join(p.Dir, name)
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, text, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, source{name, text, file, ast.IsGenerated(file)})
	}
	return all
}

// imports returns what a file imports.
func (s source) imports() []string {
	var out []string
	for _, spec := range s.file.Imports {
		path, _ := strconv.Unquote(spec.Path.Value) // the parser has read it
		out = append(out, path)
	}
	return out
}

// exported returns the names that the file gives to other packages.
func (s source) exported() []string {
	var out []string
	add := func(names ...*ast.Ident) {
		for _, n := range names {
			if n.IsExported() {
				out = append(out, n.Name)
			}
		}
	}
	for _, d := range s.file.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if d.Recv == nil {
				add(d.Name)
			}
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				switch spec := spec.(type) {
				case *ast.TypeSpec:
					add(spec.Name)
				case *ast.ValueSpec:
					add(spec.Names...)
				}
			}
		}
	}
	return out
}

// TestRoomsAreSmall holds every package to the size of a room.
func TestRoomsAreSmall(t *testing.T) {
	needed := map[string]bool{}
	for _, p := range list(t) {
		if strings.HasPrefix(p.ImportPath, "weir/controlplane/store/ent") {
			continue // generated
		}
		lines, exported := 0, 0
		for _, s := range read(t, p, slices.Concat(p.GoFiles, p.IgnoredGoFiles)) {
			if !s.generated {
				lines += bytes.Count(s.text, []byte("\n"))
				exported += len(s.exported())
			}
		}
		atMost, more := larger[p.ImportPath]
		needed[p.ImportPath] = more && (lines > mostLines || exported > mostExported)
		if limit := max(mostLines, atMost.lines); lines > limit {
			t.Errorf("%s has %d lines, at most %d: split it where a seam is narrow", p.ImportPath, lines, limit)
		}
		if limit := max(mostExported, atMost.exported); exported > limit {
			t.Errorf("%s has %d exported names, at most %d: make it deeper or split it", p.ImportPath, exported, limit)
		}
	}
	for path, l := range larger {
		if !needed[path] {
			t.Errorf("%s needs no exception: take it out of larger", path)
		}
		if l.reason == "" {
			t.Errorf("%s is larger without a reason", path)
		}
	}
}

// kit reports whether a package is for tests or generators alone.
func kit(path string) bool {
	last := path[strings.LastIndex(path, "/")+1:]
	return strings.HasSuffix(last, "test") || last == "gen" || last == "generate" || path == "weir/controlplane/store/migrate"
}

// TestKitsStayOutOfProduction keeps test kits and generators out of what is
// built for users, which benches are not.
func TestKitsStayOutOfProduction(t *testing.T) {
	for _, p := range list(t) {
		if kit(p.ImportPath) || strings.HasPrefix(p.ImportPath, "weir/infra/weir/bench/") {
			continue
		}
		for _, imp := range p.Imports {
			if strings.HasPrefix(imp, "weir/") && kit(imp) {
				t.Errorf("%s imports %s, which is for tests and generators", p.ImportPath, imp)
			}
		}
	}
}

// families are the folders whose members know their contract and never each
// other.
var families = []string{"weir/dataplane/sources/", "weir/dataplane/destinations/", "weir/dataplane/warehouses/"}

// TestTestsKeepToTheirPlane: a test may import more than its package, but
// nothing of the other plane, nor, in a family, another member.
func TestTestsKeepToTheirPlane(t *testing.T) {
	for _, p := range list(t) {
		for _, imp := range slices.Concat(p.TestImports, p.XTestImports) {
			for own, foreign := range map[string]string{"weir/dataplane": "weir/controlplane", "weir/controlplane": "weir/dataplane"} {
				if under(p.ImportPath, own) && under(imp, foreign) {
					t.Errorf("a test of %s imports %s of the other plane", p.ImportPath, imp)
				}
			}
			if under(p.ImportPath, "weir/shared") && (under(imp, "weir/controlplane") || under(imp, "weir/dataplane") || under(imp, "weir/infra")) {
				t.Errorf("a test of %s imports %s, which stands above it", p.ImportPath, imp)
			}
			for _, family := range families {
				if strings.HasPrefix(p.ImportPath, family) && strings.HasPrefix(imp, family) && imp != p.ImportPath {
					t.Errorf("a test of %s imports %s, another member of its family", p.ImportPath, imp)
				}
			}
		}
	}
}

func under(path, root string) bool { return path == root || strings.HasPrefix(path, root+"/") }

// TestBuildTagsHideNoImport holds files that this build leaves out to the floors
// too.
func TestBuildTagsHideNoImport(t *testing.T) {
	for _, p := range list(t) {
		may, _ := allowed(p.ImportPath)
		for _, s := range read(t, p, p.IgnoredGoFiles) {
			if !constrained(s) {
				t.Errorf("%s/%s is left out without a build tag", p.ImportPath, s.name)
			}
			for _, imp := range s.imports() {
				if strings.HasPrefix(imp, "weir/") && !matches(may, imp) {
					t.Errorf("%s/%s imports %s, which its floor does not allow", p.ImportPath, s.name, imp)
				}
			}
		}
	}
}

func constrained(s source) bool {
	for _, group := range s.file.Comments {
		for _, c := range group.List {
			if constraint.IsGoBuild(c.Text) {
				return true
			}
		}
	}
	return false
}

// outside names the packages that speak to Weir through its ports alone.
var outside = []string{"weir/infra/weir/bench", "weir/infra/weir/e2e"}

// TestWhatSpeaksThroughPortsLinksNoPlane keeps benches and black-box tests
// honest.
func TestWhatSpeaksThroughPortsLinksNoPlane(t *testing.T) {
	for _, p := range list(t) {
		if !slices.ContainsFunc(outside, func(root string) bool { return under(p.ImportPath, root) }) {
			continue
		}
		for _, imp := range slices.Concat(p.Imports, p.TestImports, p.XTestImports) {
			if under(imp, "weir/controlplane") || under(imp, "weir/dataplane") {
				t.Errorf("%s imports %s: it speaks through ports", p.ImportPath, imp)
			}
		}
	}
}

// environment names who may read the arguments and the environment of the
// process beside commands, test kits and generators, and why.
var environment = map[string]string{
	"weir/shared/worker": "a worker is this program again, and must not be started by a worker",
}

// initializers names who has an init, and why.
var initializers = map[string]string{
	"weir/infra/weir/bench": "only there the main goroutine can be locked to the main thread, which lives as long as the process",
}

// TestOnlyCommandsReadTheProcess: no init, and arguments and environment are
// read by commands, which pass on what they say.
func TestOnlyCommandsReadTheProcess(t *testing.T) {
	forbidden := []string{"os.Args", "os.Getenv", "os.LookupEnv", "os.Environ", "os.ExpandEnv"}
	used := map[string]bool{}
	for _, p := range list(t) {
		if strings.HasPrefix(p.ImportPath, "weir/controlplane/store/ent") || kit(p.ImportPath) {
			continue
		}
		for _, s := range read(t, p, slices.Concat(p.GoFiles, p.IgnoredGoFiles)) {
			ast.Inspect(s.file, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.FuncDecl:
					if n.Recv == nil && n.Name.Name == "init" && initializers[p.ImportPath] == "" {
						t.Errorf("%s/%s has an init", p.ImportPath, s.name)
					}
				case *ast.SelectorExpr:
					x, ok := n.X.(*ast.Ident)
					if !ok || !slices.Contains(forbidden, x.Name+"."+n.Sel.Name) {
						break
					}
					if used[p.ImportPath] = true; !command(p) && environment[p.ImportPath] == "" {
						t.Errorf("%s/%s reads %s.%s: a command does that and passes it on", p.ImportPath, s.name, x.Name, n.Sel.Name)
					}
				}
				return true
			})
		}
	}
	for path := range environment {
		if !used[path] {
			t.Errorf("%s reads neither arguments nor environment: take it out of environment", path)
		}
	}
}

// command reports whether p is a program or builds its commands.
func command(p pkg) bool {
	return p.Name == "main" || strings.HasSuffix(p.ImportPath, "/command") || under(p.ImportPath, "weir/infra/weir/cli")
}

// dialers are who may open connections without egress, which keeps tenants'
// addresses within what the plane's owner allows.
var dialers = []string{"weir/shared/egress", "weir/shared/postgrestest", "weir/shared/servertest", "weir/infra/weir/bench*"}

// uses returns those of names, given as "path.Name", that the file takes from
// other packages, under whatever name it imports them.
func (s source) uses(names []string) []string {
	local := map[string]string{}
	var out []string
	for _, spec := range s.file.Imports {
		path, _ := strconv.Unquote(spec.Path.Value) // the parser has read it
		name := path[strings.LastIndex(path, "/")+1:]
		if spec.Name != nil {
			name = spec.Name.Name
		}
		if local[name] = path; name == "." && slices.ContainsFunc(names, func(n string) bool { return strings.HasPrefix(n, path+".") }) {
			out = append(out, path+" without a name")
		}
	}
	ast.Inspect(s.file, func(n ast.Node) bool {
		if sel, ok := n.(*ast.SelectorExpr); ok {
			if x, ok := sel.X.(*ast.Ident); ok && slices.Contains(names, local[x.Name]+"."+sel.Sel.Name) {
				out = append(out, local[x.Name]+"."+sel.Sel.Name)
			}
		}
		return true
	})
	return out
}

// TestEgressDials keeps every other package from dialling.
func TestEgressDials(t *testing.T) {
	forbidden := []string{"net.Dial", "net.DialTimeout", "net.DialTCP", "net.DialUDP", "net.DialIP", "net.DialUnix", "net.Dialer",
		"crypto/tls.Dial", "crypto/tls.DialWithDialer", "crypto/tls.Dialer"}
	for _, p := range list(t) {
		if matches(dialers, p.ImportPath) {
			continue
		}
		for _, s := range read(t, p, slices.Concat(p.GoFiles, p.IgnoredGoFiles)) {
			for _, name := range s.uses(forbidden) {
				t.Errorf("%s/%s uses %s: egress dials", p.ImportPath, s.name, name)
			}
		}
	}
}

// clients are the ways of net/http to send a request past egress.
var clients = []string{"net/http.Get", "net/http.Head", "net/http.Post", "net/http.PostForm",
	"net/http.Client", "net/http.Transport", "net/http.DefaultClient", "net/http.DefaultTransport"}

// TestKindsSendNothingThemselves keeps members of the families from clients of
// their own: the engine sends what a destination builds, and gives a sink or a
// warehouse the function to dial by.
func TestKindsSendNothingThemselves(t *testing.T) {
	for _, p := range list(t) {
		if !slices.ContainsFunc(families, func(family string) bool { return strings.HasPrefix(p.ImportPath, family) }) {
			continue
		}
		for _, s := range read(t, p, slices.Concat(p.GoFiles, p.IgnoredGoFiles)) {
			for _, name := range s.uses(clients) {
				t.Errorf("%s/%s uses %s: a kind sends nothing itself", p.ImportPath, s.name, name)
			}
		}
	}
}

// TestHeapsAloneMakeEngines keeps every other file, of tests too, from making a VM: one
// made while a heap makes its own would share the memory of that one.
func TestHeapsAloneMakeEngines(t *testing.T) {
	for _, p := range list(t) {
		if p.ImportPath == "weir/dataplane/transform/heap" {
			continue
		}
		files, err := filepath.Glob(filepath.Join(p.Dir, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for i := range files {
			files[i] = filepath.Base(files[i])
		}
		for _, s := range read(t, p, files) {
			for _, name := range s.uses([]string{"modernc.org/quickjs.NewVM"}) {
				t.Errorf("%s/%s uses %s: heap.New makes engines", p.ImportPath, s.name, name)
			}
		}
	}
}

// TestClientsAreFoundUnderAnyName holds uses, which finds who dials.
func TestClientsAreFoundUnderAnyName(t *testing.T) {
	for text, want := range map[string]string{
		`import "net/http"; var h = http.Header{}`:                                   "",
		`import http "example.com/own"; var c = http.Client{}`:                       "",
		`import "net/http"; func send() { _, _ = http.Get("https://acme.example") }`: "net/http.Get",
		`import "net/http"; func send() { _, _ = http.DefaultClient.Do(nil) }`:       "net/http.DefaultClient",
		`import "net/http"; type kind struct { c *http.Client }`:                     "net/http.Client",
		`import web "net/http"; var t = &web.Transport{}`:                            "net/http.Transport",
		`import . "net/http"; var c = DefaultClient`:                                 "net/http without a name",
	} {
		file, err := parser.ParseFile(token.NewFileSet(), "acme.go", "package acme\n"+text, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(source{file: file}.uses(clients), " "); got != want {
			t.Errorf("%s: uses %q, want %q", text, got, want)
		}
	}
}

// TestTheHouseIsWrittenDown holds the table in docs/house.md to floors.
func TestTheHouseIsWrittenDown(t *testing.T) {
	const path, begin, end = "../../docs/house.md", "<!-- floors: begin -->\n", "<!-- floors: end -->"
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, ok := strings.Cut(string(text), begin)
	_, tail, closed := strings.Cut(rest, end)
	if !ok || !closed {
		t.Fatalf("%s has no %q ... %q", path, begin, end)
	}
	want := head + begin + table() + end + tail
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if want != string(text) {
		t.Errorf("the table of floors in %s is not the one of this test: go test ./infra/weir -run Written -update", path)
	}
	rooms := list(t)
	for _, path := range slices.Sorted(maps.Keys(mentioned(head + tail))) { // floors keeps places for rooms to come
		if !slices.ContainsFunc(rooms, func(p pkg) bool { return under(p.ImportPath, "weir/"+path) }) {
			if _, err := os.Stat(filepath.Join("../..", path)); err != nil {
				t.Errorf("docs/house.md names %s, which is not there", path)
			}
		}
	}
}

// mentioned returns the paths below a module that a text names in backquotes.
func mentioned(text string) map[string]bool {
	out := map[string]bool{}
	for _, m := range regexp.MustCompile("`((?:shared|controlplane|dataplane|infra|docs)/[a-z0-9_./-]+)`").FindAllStringSubmatch(text, -1) {
		out[strings.TrimSuffix(m[1], "/")] = true
	}
	return out
}

// table writes floors as people read it.
func table() string {
	var b strings.Builder
	b.WriteString("| packages | may import of Weir |\n|---|---|\n")
	for _, f := range floors {
		fmt.Fprintf(&b, "| %s | %s |\n", rooms(f.packages), rooms(f.may))
	}
	return b.String()
}

func rooms(patterns []string) string {
	if len(patterns) == 0 {
		return "nothing"
	}
	short := make([]string, len(patterns))
	for i, p := range patterns {
		short[i] = "`" + strings.TrimPrefix(p, "weir/") + "`"
	}
	slices.Sort(short)
	return strings.Join(slices.Compact(short), " ")
}

func TestEachDecisionHasANumberOfItsOwn(t *testing.T) {
	files, err := filepath.Glob("../decisions/*.md")
	if err != nil || len(files) == 0 {
		t.Fatalf("decisions: %v, %v", files, err)
	}
	for i, file := range files {
		name := filepath.Base(file)
		if want := fmt.Sprintf("%04d-", i+1); !strings.HasPrefix(name, want) {
			t.Errorf("%s comes %d in order: its name begins with %s", name, i+1, want)
		}
	}
}
