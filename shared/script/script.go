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
// column in the customer's own source, both from 1.
func Check(scripts, libraries []File) []fault.Problem {
	_, problems := Bundle(scripts, libraries)
	return problems
}

// Bundle makes a Step of each script, or lists every problem as Check does.
func Bundle(scripts, libraries []File) ([]Step, []fault.Problem) {
	b := bundler{libraries: make(map[string]int, len(libraries)), files: libraries, seen: map[string]bool{}}
	for i, l := range libraries {
		if _, twice := b.libraries[l.Name]; twice {
			b.add(fmt.Sprintf("libraries[%d].name", i), CodeLibrary, "Another library is called "+strconv.Quote(l.Name)+".")
		}
		b.libraries[l.Name] = i
		b.shallow(fmt.Sprintf("libraries[%d]", i), l.Code)
	}
	for i, s := range scripts {
		b.shallow(fmt.Sprintf("scripts[%d]", i), s.Code)
	}
	if len(b.problems) > 0 {
		return nil, b.problems
	}
	for i := range libraries { // also those that nobody imports yet
		b.build(fmt.Sprintf("libraries[%d]", i), libraries[i], nil)
	}
	if len(b.problems) > 0 {
		return nil, b.problems
	}
	steps := make([]Step, 0, len(scripts))
	for i, s := range scripts {
		step := Step{Name: s.Name}
		b.build(fmt.Sprintf("scripts[%d]", i), s, &step)
		steps = append(steps, step)
	}
	if len(b.problems) > 0 {
		return nil, b.problems
	}
	return steps, nil
}

// bundler is one call of Bundle.
type bundler struct {
	files     []File
	libraries map[string]int
	problems  []fault.Problem
	seen      map[string]bool // problems, so that a library's is listed once
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

func (b *bundler) shallow(path, code string) {
	if at := tooNested(code); at >= 0 {
		line, column := position(code, at)
		b.add(path, CodeNesting, fmt.Sprintf("%d:%d: The code nests too deeply here.", line, column))
	}
}

// Namespaces and names that the bundler gives to files inside esbuild.
const (
	libraryNamespace = "library"
	entryName        = "transformation.js"
)

// build bundles one file. With step it is a transformation, whose exports have
// to be right; without, a library, which is only read.
func (b *bundler) build(at string, f File, step *Step) {
	options := api.BuildOptions{
		Stdin:  &api.StdinOptions{Contents: f.Code, Sourcefile: entryName, Loader: api.LoaderJS},
		Bundle: true, Write: false, Outfile: "/out.js", AbsWorkingDir: "/",
		// QuickJS runs ES2023; what is newer is lowered or named as a problem.
		Format: api.FormatCommonJS, Target: api.ES2023, Platform: api.PlatformNeutral,
		// Indentation of deeply nested code would grow with the square of its length.
		MinifyWhitespace: true, Charset: api.CharsetASCII, LegalComments: api.LegalCommentsNone,
		Sourcemap: api.SourceMapExternal, SourcesContent: api.SourcesContentExclude,
		TsconfigRaw: "{}", LogLevel: api.LogLevelSilent, LogLimit: maxProblems,
		TreeShaking: api.TreeShakingFalse,
		Plugins:     []api.Plugin{b.resolver()},
	}
	result := api.Build(options)
	for _, m := range result.Errors {
		b.message(at, m)
	}
	if len(result.Errors) > 0 || step == nil {
		return
	}
	for _, out := range result.OutputFiles {
		if strings.HasSuffix(out.Path, ".map") {
			step.smap = out.Contents
		} else {
			step.Code = string(out.Contents)
		}
	}
	options.Format, options.Sourcemap, options.Metafile = api.FormatESModule, api.SourceMapNone, true // exports are listed of ES modules only
	b.exports(at, api.Build(options).Metafile, step)
}

// message turns what esbuild says into a problem.
func (b *bundler) message(at string, m api.Message) {
	code := CodeSyntax
	if m.PluginName != "" || strings.HasPrefix(m.Text, "No matching export") {
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

// exports notes which function a step has.
func (b *bundler) exports(at, metafile string, step *Step) {
	var meta struct {
		Outputs map[string]struct {
			EntryPoint string   `json:"entryPoint"`
			Exports    []string `json:"exports"`
		} `json:"outputs"`
	}
	if err := json.Unmarshal([]byte(metafile), &meta); err != nil {
		b.add(at, CodeSyntax, "The exports of this code cannot be told.")
		return
	}
	event, batch := false, false
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
	step.Batch = batch
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
			return api.OnLoadResult{Contents: &code, Loader: api.LoaderJS}, nil
		})
	}}
}

// position returns the line and column of an offset, both from 1.
func position(code string, at int) (line, column int) {
	before := code[:at]
	return strings.Count(before, "\n") + 1, at - strings.LastIndexByte(before, '\n')
}
