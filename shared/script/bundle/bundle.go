package bundle

import (
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/evanw/esbuild/pkg/api"

	"weir/shared/fault"
	"weir/shared/script"
	"weir/shared/script/builtin"
)

// maxProblems is how many problems one file has at most.
const maxProblems = 50

// Library looks at the library at i, also when nobody imports it. The paths of
// problems are libraries[i].
func Library(i int, libraries []script.File) []fault.Problem {
	b := newBundler(libraries)
	b.read(fmt.Sprintf("libraries[%d]", i), libraries[i])
	return b.problems
}

// Script makes a Step of a script, or lists every problem of it and of the
// libraries that it imports. Of the script the path is script, of a library
// libraries[i]; texts begin with line and column in the customer's own source,
// both from 1.
func Script(s script.File, libraries []script.File) (script.Step, []fault.Problem) {
	b := newBundler(libraries)
	const at = "script"
	result, ok := b.read(at, s)
	if !ok {
		return script.Step{}, b.problems
	}
	step := script.Step{Name: s.Name, Batch: b.exports(at, result.Metafile)}
	options := b.options(s)
	options.Format, options.Sourcemap, options.SourcesContent = api.FormatCommonJS, api.SourceMapExternal, api.SourcesContentExclude
	for _, out := range b.build(at, options).OutputFiles {
		if strings.HasSuffix(out.Path, ".map") {
			step.Map = out.Contents
		} else {
			step.Code = string(out.Contents)
		}
	}
	if len(b.problems) > 0 {
		return script.Step{}, b.problems
	}
	return step, nil
}

// bundler is one call of Library or Script.
type bundler struct {
	files     []script.File
	libraries map[string]int
	problems  []fault.Problem
}

func newBundler(libraries []script.File) *bundler {
	b := &bundler{libraries: make(map[string]int, len(libraries)), files: libraries}
	for i, l := range libraries {
		b.libraries[l.Name] = i
	}
	return b
}

func (b *bundler) add(path, code, text string) {
	p := fault.Problem{Path: path, Code: code, Text: text}
	if !slices.Contains(b.problems, p) && len(b.problems) < maxProblems {
		b.problems = append(b.problems, p)
	}
}

// entryName is what esbuild calls the script. Libraries have a namespace of their
// own.
const entryName = "transformation.js"

// read looks at one file without using what comes out: an ES module, because of
// these esbuild lists the exports. False: it has problems.
func (b *bundler) read(at string, f script.File) (api.BuildResult, bool) {
	options := b.options(f)
	options.Format, options.Metafile = api.FormatESModule, true
	options.Supported = map[string]bool{"top-level-await": false} // as in the CommonJS that runs
	result := b.build(at, options)
	return result, len(result.Errors) == 0
}

// options are those of all builds.
func (b *bundler) options(f script.File) api.BuildOptions {
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
	code := script.CodeSyntax
	if m.PluginName != "" || strings.HasPrefix(m.Text, "No matching export") {
		code = script.CodeImport
	}
	text := m.Text
	if !strings.HasSuffix(text, ".") {
		text += "."
	}
	if l := m.Location; l != nil {
		if i, ok := b.libraries[l.File]; ok && l.Namespace == script.LibraryNamespace {
			at = fmt.Sprintf("libraries[%d]", i)
		} else if name, ok := strings.CutPrefix(l.File, script.LibraryNamespace+":"); ok {
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
		b.add(at, script.CodeSyntax, "The exports of this code cannot be told.")
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
		b.add(at, script.CodeExports, "The code exports both transformEvent and transformBatch; export the one that shall run.")
	case !event && !batch:
		b.add(at, script.CodeExport, "The code exports neither transformEvent nor transformBatch: write export function transformEvent(event, metadata) { return event; }.")
	}
	return batch
}

// builtinNamespace is that of modules that nobody has to bring.
const builtinNamespace = "builtin"

// resolver finds libraries by name, then modules that are built in, and nothing
// else.
func (b *bundler) resolver() api.Plugin {
	return api.Plugin{Name: "libraries", Setup: func(build api.PluginBuild) {
		build.OnResolve(api.OnResolveOptions{Filter: ".*"}, func(a api.OnResolveArgs) (api.OnResolveResult, error) {
			if a.Kind == api.ResolveEntryPoint {
				return api.OnResolveResult{}, nil
			}
			for _, name := range []string{a.Path, path.Clean(a.Path), strings.TrimSuffix(path.Clean(a.Path), ".js")} {
				if _, ok := b.libraries[name]; ok {
					return api.OnResolveResult{Path: name, Namespace: script.LibraryNamespace}, nil
				}
			}
			if _, ok := builtin.Source(a.Path); ok {
				return api.OnResolveResult{Path: a.Path, Namespace: builtinNamespace}, nil
			}
			text := "There is no library called " + strconv.Quote(a.Path) + ". Without one of your own there are " + strings.Join(builtin.Names(), ", ")
			return api.OnResolveResult{Errors: []api.Message{{Text: text}}}, nil
		})
		build.OnLoad(api.OnLoadOptions{Filter: ".*", Namespace: script.LibraryNamespace}, func(a api.OnLoadArgs) (api.OnLoadResult, error) {
			code := b.files[b.libraries[a.Path]].Code
			return api.OnLoadResult{Contents: &code, Loader: api.LoaderJS}, nil
		})
		build.OnLoad(api.OnLoadOptions{Filter: ".*", Namespace: builtinNamespace}, func(a api.OnLoadArgs) (api.OnLoadResult, error) {
			code, _ := builtin.Source(a.Path)
			return api.OnLoadResult{Contents: &code, Loader: api.LoaderJS}, nil
		})
	}}
}
