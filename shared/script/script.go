package script

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"path"
	"strconv"
	"strings"

	"github.com/evanw/esbuild/pkg/api"

	"weir/shared/fault"
)

// Codes of the problems that Check and Bundle find.
const (
	CodeSyntax  = "syntax_error"   // not JavaScript, or more than the engine can run
	CodeImport  = "unknown_import" // of something that is no library
	CodeExport  = "missing_export" // neither transformEvent nor transformBatch
	CodeExports = "two_exports"    // both of them
	CodeNesting = "too_nested"     // deeper than any hand writes
	CodeLibrary = "duplicate_name" // two libraries with one name
	CodeTooMany = "too_many_problems"
)

// maxProblems is how many problems one check lists.
const maxProblems = 50

// File is an ES module. Of a transformation the name is for people; a library
// is imported by its name.
type File struct{ Name, Code string }

// Step is one transformation, bundled: the text of a CommonJS module that
// exports transformEvent or, with Batch, transformBatch, and needs nothing.
type Step struct {
	Name  string
	Code  string
	Batch bool
	smap  []byte // source map of Code, JSON
}

// Key returns the SHA-256, in hex, of what steps do: equal keys, equal work.
func Key(steps []Step) string {
	h := sha256.New()
	for _, s := range steps {
		fmt.Fprintf(h, "%d %t %s\n", len(s.Code), s.Batch, s.Code)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// Check lists what is wrong with scripts, the transformations of one chain or
// workspace, and with libraries, which they may import by name. Of a script the
// path is scripts[i], of a library libraries[i]; texts begin with line and
// column in the customer's own source, both from 1. Scripts are looked at when
// the libraries have no problems.
func Check(scripts, libraries []File) []fault.Problem {
	b := newBundler(libraries)
	for i := range libraries { // also those that nobody imports yet
		b.read(fmt.Sprintf("libraries[%d]", i), libraries[i])
	}
	if len(b.problems) > 0 {
		return b.problems
	}
	for i, s := range scripts {
		at := fmt.Sprintf("scripts[%d]", i)
		if result, ok := b.read(at, s); ok {
			b.exports(at, result.Metafile)
		}
	}
	return b.problems
}

// Bundle makes a Step of each script, or lists every problem of the scripts and
// of the libraries that they import, as Check does.
func Bundle(scripts, libraries []File) ([]Step, []fault.Problem) {
	b := newBundler(libraries)
	steps := make([]Step, 0, len(scripts))
	for i, s := range scripts {
		at := fmt.Sprintf("scripts[%d]", i)
		result, ok := b.read(at, s)
		if !ok {
			continue
		}
		step := Step{Name: s.Name, Batch: b.exports(at, result.Metafile)}
		options := b.options(s)
		options.Format, options.Sourcemap, options.SourcesContent = api.FormatCommonJS, api.SourceMapExternal, api.SourcesContentExclude
		for _, out := range b.build(at, options).OutputFiles {
			if strings.HasSuffix(out.Path, ".map") {
				step.smap = out.Contents
			} else {
				step.Code = string(out.Contents)
			}
		}
		steps = append(steps, step)
	}
	if len(b.problems) > 0 {
		return nil, b.problems
	}
	return steps, nil
}

// bundler is one call of Check or Bundle.
type bundler struct {
	files     []File
	libraries map[string]int
	problems  []fault.Problem
	seen      map[string]bool // problems, so that a library's is listed once
}

func newBundler(libraries []File) *bundler {
	b := &bundler{libraries: make(map[string]int, len(libraries)), files: libraries, seen: map[string]bool{}}
	for i, l := range libraries {
		if _, twice := b.libraries[l.Name]; twice {
			b.add(fmt.Sprintf("libraries[%d].name", i), CodeLibrary, "Another library is called "+strconv.Quote(l.Name)+".")
			continue
		}
		b.libraries[l.Name] = i
	}
	return b
}

func (b *bundler) add(path, code, text string) {
	if key := path + "\n" + text; !b.seen[key] {
		b.seen[key] = true
		switch n := len(b.problems); {
		case n < maxProblems:
			b.problems = append(b.problems, fault.Problem{Path: path, Code: code, Text: text})
		case n == maxProblems:
			b.problems = append(b.problems, fault.Problem{Code: CodeTooMany, Text: "There are more problems than these."})
		}
	}
}

// shallow reports whether code may be given to the parser.
func (b *bundler) shallow(path, code string) bool {
	at := tooNested(code)
	if at >= 0 {
		line, column := position(code, at)
		b.add(path, CodeNesting, fmt.Sprintf("%d:%d: The code nests too deeply here.", line, column))
	}
	return at < 0
}

// Namespaces and names that the bundler gives to files inside esbuild.
const (
	libraryNamespace = "library"
	entryName        = "transformation.js"
)

// read looks at one file without using what comes out: an ES module, because of
// these esbuild lists the exports. False: it has problems.
func (b *bundler) read(at string, f File) (api.BuildResult, bool) {
	if !b.shallow(at, f.Code) {
		return api.BuildResult{}, false
	}
	options := b.options(f)
	options.Format, options.Metafile = api.FormatESModule, true
	options.Supported = map[string]bool{"top-level-await": false} // as in the CommonJS that runs
	result := b.build(at, options)
	return result, len(result.Errors) == 0
}

// options are those of all builds.
func (b *bundler) options(f File) api.BuildOptions {
	return api.BuildOptions{
		Stdin:  &api.StdinOptions{Contents: f.Code, Sourcefile: entryName, Loader: api.LoaderJS},
		Bundle: true, Write: false, Outfile: "/out.js", AbsWorkingDir: "/",
		// QuickJS runs ES2023; what is newer is lowered or named as a problem.
		Target: api.ES2023, Platform: api.PlatformNeutral,
		// Indentation of deeply nested code would grow with the square of its length.
		MinifyWhitespace: true, Charset: api.CharsetASCII, LegalComments: api.LegalCommentsNone,
		TsconfigRaw: "{}", LogLevel: api.LogLevelSilent, LogLimit: maxProblems,
		TreeShaking: api.TreeShakingFalse,
		Plugins:     []api.Plugin{b.resolver()},
	}
}

// build runs esbuild and notes what it complains of.
func (b *bundler) build(at string, options api.BuildOptions) api.BuildResult {
	result := api.Build(options)
	for _, m := range result.Errors {
		b.message(at, m)
	}
	return result
}

// message turns what esbuild says into a problem.
func (b *bundler) message(at string, m api.Message) {
	code, ok := m.Detail.(string)
	if !ok {
		code = CodeSyntax
	}
	if !ok && (m.PluginName != "" || strings.HasPrefix(m.Text, "No matching export")) {
		code = CodeImport
	}
	text := m.Text
	if !strings.HasSuffix(text, ".") {
		text += "."
	}
	if l := m.Location; l != nil {
		if i, ok := b.libraries[l.File]; ok && l.Namespace == libraryNamespace {
			at = fmt.Sprintf("libraries[%d]", i)
		} else if name, ok := strings.CutPrefix(l.File, libraryNamespace+":"); ok {
			if i, ok := b.libraries[name]; ok {
				at = fmt.Sprintf("libraries[%d]", i)
			}
		}
		text = fmt.Sprintf("%d:%d: %s", l.Line, l.Column+1, text)
	}
	b.add(at, code, text)
}

// exports notes when not exactly one of the two functions is exported, and
// reports whether it is transformBatch.
func (b *bundler) exports(at, metafile string) (batch bool) {
	var meta struct {
		Outputs map[string]struct {
			EntryPoint string   `json:"entryPoint"`
			Exports    []string `json:"exports"`
		} `json:"outputs"`
	}
	if err := json.Unmarshal([]byte(metafile), &meta); err != nil {
		b.add(at, CodeSyntax, "The exports of this code cannot be told.")
		return false
	}
	event := false
	for _, out := range meta.Outputs {
		for _, name := range out.Exports {
			event = event || name == "transformEvent"
			batch = batch || name == "transformBatch"
		}
	}
	switch {
	case event && batch:
		b.add(at, CodeExports, "The code exports both transformEvent and transformBatch; export the one that shall run.")
	case !event && !batch:
		b.add(at, CodeExport, "The code exports neither transformEvent nor transformBatch: write export function transformEvent(event, metadata) { return event; }.")
	}
	return batch
}

// resolver finds libraries by name and nothing else.
func (b *bundler) resolver() api.Plugin {
	return api.Plugin{Name: "libraries", Setup: func(build api.PluginBuild) {
		build.OnResolve(api.OnResolveOptions{Filter: ".*"}, func(a api.OnResolveArgs) (api.OnResolveResult, error) {
			if a.Kind == api.ResolveEntryPoint {
				return api.OnResolveResult{}, nil
			}
			for _, name := range []string{a.Path, path.Clean(a.Path), strings.TrimSuffix(path.Clean(a.Path), ".js")} {
				if _, ok := b.libraries[name]; ok {
					return api.OnResolveResult{Path: name, Namespace: libraryNamespace}, nil
				}
			}
			text := "There is no library called " + strconv.Quote(a.Path)
			return api.OnResolveResult{Errors: []api.Message{{Text: text}}}, nil
		})
		build.OnLoad(api.OnLoadOptions{Filter: ".*", Namespace: libraryNamespace}, func(a api.OnLoadArgs) (api.OnLoadResult, error) {
			code := b.files[b.libraries[a.Path]].Code
			if at := tooNested(code); at >= 0 {
				return api.OnLoadResult{Errors: []api.Message{{Text: "The library " + strconv.Quote(a.Path) + " nests too deeply", Detail: CodeNesting}}}, nil
			}
			return api.OnLoadResult{Contents: &code, Loader: api.LoaderJS}, nil
		})
	}}
}

// position returns the line and column of an offset, both from 1.
func position(code string, at int) (line, column int) {
	before := code[:at]
	return strings.Count(before, "\n") + 1, at - strings.LastIndexByte(before, '\n')
}
