package reference

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// Group is what reasons have in common, and the reasons.
type Group struct {
	Title, About string
	Reasons      []Reason
}

// Reason is a word that a condition, an event or a record of the history can have.
type Reason struct{ Word, Meaning string }

// Known are all reasons, out of the constants in the tree that have them.
func Known(tree string) ([]Group, error) {
	own, err := constants(filepath.Join(tree, "pkg/rollout/reasons.go"), "Reason")
	if err != nil {
		return nil, err
	}
	outcomes, err := constants(filepath.Join(tree, "pkg/apis/weir/v1beta1/status.go"), "Outcome")
	if err != nil {
		return nil, err
	}
	if len(own) == 0 || len(outcomes) != 1 {
		return nil, errors.New("the reasons are not where they were")
	}
	outcomes[0].Title = "How the last run ended"
	outcomes[0].About = "Reasons of Ready, Progressing and Stalled while nothing is on, and the outcomes in `status.history`."
	pods, err := broken(filepath.Join(tree, "pkg/workload/broken.go"))
	return append(append(own, outcomes...), pods), err
}

// constants are those of a file whose names begin so, in the groups in which they are declared.
func constants(file, prefix string) ([]Group, error) {
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments)
	if err != nil {
		return nil, fmt.Errorf("reading the reasons: %w", err)
	}
	var groups []Group
	for _, decl := range parsed.Decls {
		block, ok := decl.(*ast.GenDecl)
		if !ok || block.Tok != token.CONST {
			continue
		}
		title, about, _ := strings.Cut(strings.Join(strings.Fields(block.Doc.Text()), " "), ": ")
		group := Group{Title: strings.TrimSuffix(title, "."), About: sentence(about)}
		for _, spec := range block.Specs {
			one := spec.(*ast.ValueSpec)
			name := one.Names[0].Name
			if !strings.HasPrefix(name, prefix) {
				continue
			}
			word, err := strconv.Unquote(one.Values[0].(*ast.BasicLit).Value)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
			meaning, ok := strings.CutPrefix(strings.Join(strings.Fields(one.Doc.Text()), " "), name+" is ")
			if !ok {
				return nil, fmt.Errorf("the comment on %s in %s has to begin with %q: it is what people read of it", name, file, name+" is")
			}
			group.Reasons = append(group.Reasons, Reason{word, sentence(meaning)})
		}
		if len(group.Reasons) > 0 {
			groups = append(groups, group)
		}
	}
	return groups, nil
}

// broken are the words of the kubelet, which the package workload takes for final.
func broken(file string) (Group, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return Group{}, fmt.Errorf("reading the reasons: %w", err)
	}
	group := Group{Title: "What the kubelet says", About: "Causes of RolledBack: a pod of the canary will not come up by waiting. " +
		"Of a Knative Service it is a reason of Knative's own."}
	for _, found := range regexp.MustCompile(`"([A-Z]\w+)"`).FindAllStringSubmatch(string(text), -1) {
		group.Reasons = append(group.Reasons, Reason{Word: found[1]})
	}
	return group, nil
}

// Sections are the reasons that have a section of a page, each with its anchor: those that its headings of the third
// degree name, one or several with commas.
func Sections(page string) map[string]string {
	found := map[string]string{}
	for _, heading := range regexp.MustCompile(`(?m)^### (.+)$`).FindAllStringSubmatch(page, -1) {
		at := strings.ToLower(strings.NewReplacer(",", "", " ", "-").Replace(heading[1]))
		for reason := range strings.SplitSeq(heading[1], ", ") {
			found[reason] = at
		}
	}
	return found
}

// Reasons is the page of all reasons, with links to the sections that say what to do.
func Reasons(groups []Group, sections map[string]string) string {
	var page strings.Builder
	page.WriteString("# Reasons\n\nEvery reason of a condition, of an event, and of a run in `status.history`. " +
		"[Troubleshooting](../troubleshooting.md)\nsays what to do when one is there; each leads to its section. This page is made " +
		"of the constants in\n`pkg/rollout/reasons.go` and of their comments, by `go test ./e2e/reference -run TestReference -rewrite`.\n\n" +
		"```sh\nkubectl get canary NAME -o jsonpath='{range .status.conditions[*]}{.type}={.status} {.reason}: {.message}" +
		"{\"\\n\"}{end}'\n" +
		"kubectl get events --field-selector involvedObject.kind=Canary,involvedObject.name=NAME\n```\n")
	for _, group := range groups {
		fmt.Fprintf(&page, "\n## %s\n\n", group.Title)
		if group.About != "" {
			page.WriteString(group.About + "\n\n")
		}
		page.WriteString(head("reason", "meaning"))
		for _, reason := range group.Reasons {
			page.WriteString(row("["+code(reason.Word)+"](../troubleshooting.md#"+sections[reason.Word]+")", cell(reason.Meaning)))
		}
	}
	return page.String()
}

// sentence begins with a capital.
func sentence(text string) string {
	if text == "" {
		return ""
	}
	return strings.ToUpper(text[:1]) + text[1:]
}
