package pkg_test

import (
	"fmt"
	"go/ast"
	"regexp"
	"slices"
	"strings"
)

// namedReason: people look a reason up, so each is a constant that says what it means.
func namedReason(s source) []string {
	// These have reasons that are none of a Canary's.
	mayTellOwn := []string{"pkg/alert/...", "pkg/cli/...", "pkg/client/...", "pkg/metrics/...", "pkg/controller/outbox.go"}
	isTheirs := func(pattern string) bool { return fits(pattern, s.path) }
	if !strings.HasPrefix(s.path, "pkg/") || slices.ContainsFunc(mayTellOwn, isTheirs) {
		return nil
	}
	word := regexp.MustCompile(`^"[A-Z][A-Za-z]+"$`)
	var wrong []string
	spelled := func(e ast.Expr) {
		if text, ok := e.(*ast.BasicLit); ok && word.MatchString(text.Value) {
			wrong = append(wrong, fmt.Sprintf("%s spells out the reason %s: name it in pkg/rollout/reasons.go", s.at(e), text.Value))
		}
	}
	ast.Inspect(s.syntax, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.KeyValueExpr:
			if key, ok := n.Key.(*ast.Ident); ok && key.Name == "Reason" {
				spelled(n.Value)
			}
		case *ast.CallExpr:
			name := selector(n.Fun)
			if i, ok := n.Fun.(*ast.Ident); ok {
				name = i.Name
			}
			giving := []string{"problem", "refuse", "wait", "stall", "rollback", "abandon", "endRun", "once"}
			if slices.Contains(giving, name[strings.LastIndex(name, ".")+1:]) {
				for _, argument := range n.Args {
					spelled(argument)
				}
			}
		}
		return true
	})
	return wrong
}
