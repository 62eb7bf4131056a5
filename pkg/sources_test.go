package pkg_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const (
	longestFile     = 400
	longestFunction = 60
	reasonMark      = "// long: " // what follows is the reason why something is longer

	metav1 = "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// source is a hand-written file that ends up in a program.
type source struct {
	path   string // from the top of the tree
	lines  int
	syntax *ast.File
	set    *token.FileSet
}

// sourceRules are the rules that one file can break.
func sourceRules() map[string]func(source) []string {
	return map[string]func(source) []string{
		"init":         noInit,
		"globals":      noMutableGlobals,
		"names":        tellingName,
		"long":         notLong,
		"clock":        noClock,
		"writes":       noWrites,
		"fieldManager": oneFieldManager,
		"reasons":      namedReason,
	}
}

// noInit: what happens before main cannot be ordered, tested or left out.
func noInit(s source) []string {
	var wrong []string
	for _, decl := range s.syntax.Decls {
		if f, ok := decl.(*ast.FuncDecl); ok && f.Recv == nil && f.Name.Name == "init" {
			wrong = append(wrong, s.at(f)+" has an init(): do it in a function that somebody calls, as registries do")
		}
	}
	return wrong
}

// noMutableGlobals: a package keeps no state. Values that are constants in all but Go's grammar are fine.
func noMutableGlobals(s source) []string {
	if s.path == "pkg/apis/weir/v1beta1/register.go" {
		return nil // the generated clients call AddToScheme by this name
	}
	var wrong []string
	for _, decl := range s.syntax.Decls {
		vars, ok := decl.(*ast.GenDecl)
		if !ok || vars.Tok != token.VAR || embeds(vars) {
			continue
		}
		for _, spec := range vars.Specs {
			spec := spec.(*ast.ValueSpec)
			for i, name := range spec.Names {
				if name.Name != "_" && (i >= len(spec.Values) || !constant(spec.Values[i])) {
					wrong = append(wrong, fmt.Sprintf(
						"%s: %s is a package-level variable: make it a constant, an argument or the result of a function",
						s.at(name), name.Name))
				}
			}
		}
	}
	return wrong
}

// embeds tells whether a declaration is of files that go:embed puts in, which only a variable of the package can
// hold, and which nobody can change.
func embeds(vars *ast.GenDecl) bool {
	if vars.Doc == nil || len(vars.Specs) != 1 || selector(vars.Specs[0].(*ast.ValueSpec).Type) != "embed.FS" {
		return false
	}
	directive := func(c *ast.Comment) bool { return strings.HasPrefix(c.Text, "//go:embed ") }
	return slices.ContainsFunc(vars.Doc.List, directive)
}

// constant tells whether a value is one that nobody can change or would think of changing.
func constant(value ast.Expr) bool {
	kinds := []string{"errors.New", "fmt.Errorf", "regexp.MustCompile", "schema.GroupResource",
		"schema.GroupKind", "schema.GroupVersion", "schema.GroupVersionKind", "schema.GroupVersionResource"}
	switch v := value.(type) {
	case *ast.CallExpr:
		return slices.Contains(kinds, selector(v.Fun))
	case *ast.CompositeLit:
		return slices.Contains(kinds, selector(v.Type))
	}
	return false
}

// tellingName: a package is named for its idea.
func tellingName(s source) []string {
	name := s.syntax.Name.Name
	if slices.Contains([]string{"util", "common", "type", "manager", "helper", "misc"}, strings.TrimSuffix(name, "s")) {
		return []string{fmt.Sprintf("%s: package %s could hold anything: name it for its idea", s.path, name)}
	}
	return nil
}

// notLong: what does not fit into a head is written in parts, or says why not.
func notLong(s source) []string {
	var wrong []string
	functions := map[*ast.FuncDecl]bool{}
	reasoned := false // the file
comments:
	for _, comment := range s.reasons() {
		for _, decl := range s.syntax.Decls {
			f, ok := decl.(*ast.FuncDecl)
			if ok && comment >= begin(f) && comment <= f.End() {
				functions[f] = true
				continue comments
			}
		}
		reasoned = true
	}
	if s.lines > longestFile && !reasoned {
		wrong = append(wrong, fmt.Sprintf("%s has %d lines, and %d are enough: part it, or say %sREASON at its top",
			s.path, s.lines, longestFile, reasonMark))
	}
	for _, decl := range s.syntax.Decls {
		f, ok := decl.(*ast.FuncDecl)
		if !ok || functions[f] {
			continue
		}
		lines := s.set.Position(f.End()).Line - s.set.Position(f.Pos()).Line + 1
		if lines > longestFunction {
			wrong = append(wrong, fmt.Sprintf("%s: %s has %d lines, and %d are enough: part it, or say %sREASON in it",
				s.at(f), f.Name.Name, lines, longestFunction, reasonMark))
		}
	}
	return wrong
}

// reasons are the places of the comments that give one.
func (s source) reasons() []token.Pos {
	var found []token.Pos
	for _, group := range s.syntax.Comments {
		for _, comment := range group.List {
			reason, ok := strings.CutPrefix(comment.Text, reasonMark)
			if ok && strings.TrimSpace(reason) != "" {
				found = append(found, comment.Pos())
			}
		}
	}
	return found
}

// begin is where a function begins, its comment included.
func begin(f *ast.FuncDecl) token.Pos {
	if f.Doc != nil {
		return f.Doc.Pos()
	}
	return f.Pos()
}

// noClock: to a pure package, time is a value that it is given.
func noClock(s source) []string {
	if row, ok := rowOf(path.Dir(s.path)); !ok || !row.pure {
		return nil
	}
	clock := []string{"time.Now", "time.Since", "time.Until", "time.Sleep", "time.After", "time.AfterFunc",
		"time.Tick", "time.NewTimer", "time.NewTicker", metav1 + ".Now", metav1 + ".NowMicro"}
	return s.mentions(clock, "reads the clock in a pure package: pass the time as a value")
}

// noWrites: of the operator, pkg/kube alone writes to the API server. Events are announced, not ensured. The load tester
// is a program of its own, and writes its gates. Questions of rights have the form of objects, and are not stored.
func noWrites(s source) []string {
	mayWrite := []string{"pkg/kube/...", "pkg/cli/...", "pkg/controller/events.go", "pkg/loadtest/gates.go",
		"pkg/rights/rights.go"}
	isTheirs := func(pattern string) bool { return fits(pattern, s.path) }
	if !strings.HasPrefix(s.path, "pkg/") || slices.ContainsFunc(mayWrite, isTheirs) {
		return nil
	}
	options := []string{metav1 + ".ApplyOptions", metav1 + ".CreateOptions", metav1 + ".UpdateOptions",
		metav1 + ".PatchOptions", metav1 + ".DeleteOptions"}
	return s.mentions(options, "writes to the API server, which is pkg/kube's part: call it there")
}

// oneFieldManager: an owner of fields who is spelled twice is two owners one day.
func oneFieldManager(s source) []string {
	if !strings.HasPrefix(s.path, "pkg/") {
		return nil
	}
	var wrong []string
	ast.Inspect(s.syntax, func(n ast.Node) bool {
		pair, ok := n.(*ast.KeyValueExpr)
		if !ok {
			return true
		}
		key, isName := pair.Key.(*ast.Ident)
		if _, spelled := pair.Value.(*ast.BasicLit); isName && spelled && key.Name == "FieldManager" {
			wrong = append(wrong, s.at(pair)+" spells out a field manager: say v1beta1.FieldManager")
		}
		return true
	})
	return wrong
}

// mentions says where a file names one of the given things, whatever it calls the package.
func (s source) mentions(names []string, why string) []string {
	called := map[string]string{}
	for _, i := range s.syntax.Imports {
		imported := strings.Trim(i.Path.Value, "\"`")
		alias := path.Base(imported)
		if i.Name != nil {
			alias = i.Name.Name
		}
		called[alias] = imported
	}
	var wrong []string
	ast.Inspect(s.syntax, func(n ast.Node) bool {
		e, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		alias, _, _ := strings.Cut(selector(e), ".")
		if slices.Contains(names, called[alias]+"."+e.Sel.Name) {
			wrong = append(wrong, fmt.Sprintf("%s: %s %s", s.at(e), selector(e), why))
		}
		return true
	})
	return wrong
}

// selector is an expression like time.Now as text; nothing for any other.
func selector(e ast.Expr) string {
	if s, ok := e.(*ast.SelectorExpr); ok {
		if from, ok := s.X.(*ast.Ident); ok {
			return from.Name + "." + s.Sel.Name
		}
	}
	return ""
}

func (s source) at(n ast.Node) string {
	return fmt.Sprintf("%s:%d", s.path, s.set.Position(n.Pos()).Line)
}

// describing says which packages do not have exactly one comment. A package of nothing but tests is
// one too.
func describing(sources []source) []string {
	comments := map[string]int{}
	for _, s := range sources {
		folder := path.Dir(s.path)
		comments[folder] += 0
		if s.syntax.Doc != nil {
			comments[folder]++
		}
	}
	var wrong []string
	for folder, n := range comments {
		if n != 1 {
			wrong = append(wrong, fmt.Sprintf("%s has %d package comments: one, and only one, says its contract", folder, n))
		}
	}
	slices.Sort(wrong)
	return wrong
}

// parse reads a file, and tells whether a generator wrote it.
func parse(name string, content []byte) (s source, generated bool, err error) {
	set := token.NewFileSet()
	syntax, err := parser.ParseFile(set, name, content, parser.ParseComments)
	if err != nil {
		return source{}, false, err
	}
	lines := strings.Count(string(content), "\n")
	return source{path: name, lines: lines, syntax: syntax, set: set}, ast.IsGenerated(syntax), nil
}

// sources are the hand-written files of the tree: of its programs, and of its tests and their suites.
func sources(t *testing.T) (programs, tests []source) {
	t.Helper()
	for _, name := range tracked(t) {
		if !strings.HasSuffix(name, ".go") {
			continue
		}
		content, err := os.ReadFile(filepath.Join(root, name))
		require.NoError(t, err)
		s, generated, err := parse(name, content)
		require.NoError(t, err)
		switch {
		case generated:
		case strings.HasSuffix(name, "_test.go"), strings.HasSuffix(path.Dir(name), "test"):
			tests = append(tests, s)
		default:
			programs = append(programs, s)
		}
	}
	require.Greater(t, len(programs), 50, "hardly any source is found")
	return programs, tests
}

func TestSources(t *testing.T) {
	programs, _ := sources(t)
	for name, rule := range sourceRules() {
		t.Run(name, func(t *testing.T) {
			for _, s := range programs {
				for _, wrong := range rule(s) {
					t.Error(wrong)
				}
			}
		})
	}
}

func TestEveryPackageHasOneComment(t *testing.T) {
	programs, tests := sources(t)
	built := map[string]bool{}
	for _, s := range programs {
		built[path.Dir(s.path)] = true
	}
	all := slices.Clone(programs)
	for _, s := range tests {
		if !built[path.Dir(s.path)] {
			all = append(all, s)
		}
	}
	for _, wrong := range describing(all) {
		t.Error(wrong)
	}
}

// TestSourceRulesBite shows each rule what it has to refuse, and what it may not.
func TestSourceRulesBite(t *testing.T) {
	const (
		clock = "; import `time`; "
		meta  = "; import meta `" + metav1 + "`; "
	)
	long := strings.Repeat("\n", 70)
	for _, c := range []struct {
		rule, path, code string
		refused          bool
	}{
		{"init", "pkg/a/a.go", "package a; func init() {}", true},
		{"init", "pkg/a/a.go", "package a; type t struct{}; func (t) init() {}", false},
		{"globals", "pkg/a/a.go", "package a; var cache = map[string]int{}", true},
		{"globals", "pkg/a/a.go", "package a; var count int", true},
		{"globals", "pkg/a/a.go", "package a; var ErrGone, names = errors.New(``), []string{}", true},
		{"globals", "pkg/a/a.go", "package a; var ErrGone = errors.New(`gone`)", false},
		{"globals", "pkg/a/a.go", "package a; var pods = schema.GroupVersionResource{Resource: `pods`}", false},
		{"globals", "pkg/a/a.go", "package a; var _ fmt.Stringer = T{}", false},
		{"globals", "pkg/a/a.go", "package a\n//go:embed a.yaml\nvar files embed.FS", false},
		{"globals", "pkg/a/a.go", "package a\n//go:embed a.yaml\nvar file []byte", true},
		{"globals", "pkg/a/a.go", "package a\nvar files embed.FS", true},
		{"globals", "pkg/a/a.go", "package a; func f() { var count int; _ = count }", false},
		{"names", "pkg/utils/a.go", "package utils", true},
		{"names", "pkg/types/a.go", "package types", true},
		{"names", "pkg/router/a.go", "package router", false},
		{"long", "pkg/a/a.go", "package a\nfunc f() {" + long + "}", true},
		{"long", "pkg/a/a.go", "package a\nfunc f() {\n// long: a table\n" + long + "}", false},
		{"long", "pkg/a/a.go", "package a\nfunc f() {\n// long: \n" + long + "}", true},
		{"long", "pkg/a/a.go", "package a\n// long: of the file\nfunc g() {}\nfunc f() {" + long + "}", true},
		{"long", "pkg/a/a.go", "package a\nfunc f() {\n}" + strings.Repeat("\n", 400), true},
		{"long", "pkg/a/a.go", "// long: a table\npackage a\n" + strings.Repeat("\n", 400), false},
		{"long", "pkg/a/a.go", "package a\nfunc f() {\n// long: of f\n}" + strings.Repeat("\n", 400), true},
		{"clock", "pkg/rollout/a.go", "package a" + clock + "var now = time.Now", true},
		{"clock", "pkg/router/smi/a.go", "package a" + meta + "var t = meta.Now()", true},
		{"clock", "pkg/router/routertest/a.go", "package a" + clock + "var t = time.Now()", false},
		{"clock", "pkg/controller/a.go", "package a" + clock + "var t = time.Now()", false},
		{"clock", "pkg/rollout/a.go", "package a" + clock + "var t = time.Minute", false},
		{"writes", "pkg/controller/act.go", "package a" + meta + "var o = meta.PatchOptions{}", true},
		{"writes", "pkg/controller/act.go", "package a" + meta + "var o = meta.GetOptions{}", false},
		{"writes", "pkg/loadtest/gates.go", "package a" + meta + "var o = meta.UpdateOptions{}", false},
		{"writes", "pkg/loadtest/server.go", "package a" + meta + "var o = meta.UpdateOptions{}", true},
		{"writes", "pkg/kube/apply.go", "package a" + meta + "var o = meta.ApplyOptions{}", false},
		{"fieldManager", "pkg/kube/a.go", "package a; var o = v1.ApplyOptions{FieldManager: `weir`}", true},
		{"fieldManager", "pkg/kube/a.go", "package a; var o = v1.ApplyOptions{FieldManager: v1beta1.FieldManager}", false},
		{"reasons", "pkg/router/smi/a.go", "package a; var p = rollout.Problem{Reason: `x`, Message: `No`}", false},
		{"reasons", "pkg/router/smi/a.go", `package a; var p = rollout.Problem{Reason: "Odd"}`, true},
		{"reasons", "pkg/alert/slack/a.go", `package a; var p = alert.Message{Reason: "Odd"}`, false},
		{"reasons", "pkg/workload/a.go", `package a; var p = problem("Odd", "it is")`, true},
		{"reasons", "pkg/workload/a.go", `package a; var p = problem(rollout.ReasonOdd, "it is")`, false},
		{"reasons", "pkg/controller/a.go", `package a; func f() { a.refuse(ctx, w, "Odd", "it is") }`, true},
	} {
		s, _, err := parse(c.path, []byte(c.code))
		require.NoError(t, err)
		wrong := sourceRules()[c.rule](s)
		require.Equal(t, c.refused, len(wrong) == 1, "rule %s on %s %.60q: %v", c.rule, c.path, c.code, wrong)
	}
}

func TestPackageCommentsBite(t *testing.T) {
	file := func(name, code string) source {
		s, _, err := parse(name, []byte(code))
		require.NoError(t, err)
		return s
	}
	with, without := "// Package a does it.\npackage a", "// Of the file.\n\npackage a"
	require.Empty(t, describing([]source{file("pkg/a/a.go", with), file("pkg/a/b.go", without)}))
	require.Len(t, describing([]source{file("pkg/a/a.go", without)}), 1)
	require.Len(t, describing([]source{file("pkg/a/a.go", with), file("pkg/a/b.go", with)}), 1)
}
