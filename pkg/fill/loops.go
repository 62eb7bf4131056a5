package fill

import (
	"fmt"
	"slices"
	"strings"
	"text/template/parse"
)

// guard reads a template of one text.
type guard struct {
	text string
	// over is what it may range over.
	over []string
}

// refuse turns down what a template could spend for ever in, for nothing stops one once it runs: loops, and
// templates that call themselves. What is left is one loop over what is short.
func (g guard) refuse(n parse.Node, looping bool) error {
	switch n := n.(type) {
	case *parse.ListNode:
		if n == nil {
			return nil
		}
		for _, child := range n.Nodes {
			if err := g.refuse(child, looping); err != nil {
				return err
			}
		}
	case *parse.IfNode:
		return g.refuseBranches(&n.BranchNode, looping)
	case *parse.WithNode:
		return g.refuseBranches(&n.BranchNode, looping)
	case *parse.RangeNode:
		if looping || !g.overShort(n.Pipe) {
			return fmt.Errorf("%s may range over %s alone, and not within another range", g.text, strings.Join(g.over, ", "))
		}
		return g.refuseBranches(&n.BranchNode, true)
	case *parse.TemplateNode:
		return fmt.Errorf("%s may not call templates; write it in one piece", g.text)
	}
	return nil
}

func (g guard) refuseBranches(n *parse.BranchNode, looping bool) error {
	if err := g.refuse(n.List, looping); err != nil {
		return err
	}
	return g.refuse(n.ElseList, looping)
}

func (g guard) overShort(p *parse.PipeNode) bool {
	return len(p.Cmds) == 1 && len(p.Cmds[0].Args) == 1 && slices.Contains(g.over, p.Cmds[0].Args[0].String())
}
