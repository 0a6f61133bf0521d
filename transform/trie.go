package transform

// plan is a set of wanted paths as a trie, with a slot for the value of each. It
// is walked along a document, so that one pass finds all of them. A mapper owns
// its plans: filling the slots changes them.
type plan struct {
	root  node
	slots []*value
	// whole is the value that the plan is walked along. It is always filled.
	whole value
	// any says that a path wants all of it, so that it may be of any type.
	any bool
}

func newPlan() *plan {
	p := &plan{}
	p.root.slot = &p.whole
	p.slots = append(p.slots, &p.whole)
	return p
}

// node is a place in documents at which, or below which, something is wanted.
type node struct {
	// slot takes the value that is found here; nil: only values below are wanted.
	slot *value
	// seen is the number of the pass that came here last. A second visit in one
	// pass means that a key on the way is there twice.
	seen uint64

	keys []string // Of the members that lead on, beside children.
	// lengths has a bit set for the length of each key, so that most of the
	// unwanted keys are told by their length.
	lengths  uint64
	children []*node
	index    map[string]int // Instead of a search, where there are many keys.
	elements []*node        // By position in an array; nil where nothing is wanted.
}

// step leads from a value to one inside it: by key where index is negative.
type step struct {
	key   string
	index int
}

// searchedKeys is the number of keys up to which comparing beats hashing.
const searchedKeys = 16

// want adds a path and returns its slot, the same one for equal paths.
func (p *plan) want(steps []step) *value {
	n := &p.root
	for _, s := range steps {
		if s.index < 0 {
			n = n.addMember(s.key)
		} else {
			n = n.addElement(s.index)
		}
	}
	p.any = p.any || len(steps) == 0
	if n.slot == nil {
		n.slot = new(value)
		p.slots = append(p.slots, n.slot)
	}
	return n.slot
}

// reset empties the slots. What they refer to is kept alive until they are filled
// again.
func (p *plan) reset() {
	for _, v := range p.slots {
		v.kind = missing
	}
}

// fits says whether the wanted paths can lead into the value that was walked.
func (p *plan) fits() bool {
	return p.any || p.whole.kind == object || p.whole.kind == array && len(p.root.elements) > 0
}

// wants says for people what fits.
func (p *plan) wants() string {
	if len(p.root.elements) > 0 {
		return "an object or an array"
	}
	return "an object"
}

func (n *node) addMember(key string) *node {
	if child := n.member(key); child != nil {
		return child
	}
	child := &node{}
	n.keys = append(n.keys, key)
	n.children = append(n.children, child)
	n.lengths |= lengthBit(len(key))
	if len(n.keys) > searchedKeys {
		n.index = make(map[string]int, len(n.keys))
		for i, k := range n.keys {
			n.index[k] = i
		}
	}
	return child
}

func (n *node) addElement(i int) *node {
	for len(n.elements) <= i {
		n.elements = append(n.elements, nil)
	}
	if n.elements[i] == nil {
		n.elements[i] = &node{}
	}
	return n.elements[i]
}

// member returns the child under a key, or nil.
func (n *node) member(key string) *node {
	if i := n.position(key); i >= 0 {
		return n.children[i]
	}
	return nil
}

// position is where a key is among the keys, or -1.
func (n *node) position(key string) int {
	if n.lengths&lengthBit(len(key)) == 0 {
		return -1
	}
	if n.index != nil {
		if i, ok := n.index[key]; ok {
			return i
		}
		return -1
	}
	for i, k := range n.keys {
		if k == key {
			return i
		}
	}
	return -1
}

// clear empties the slots at and below a place.
func (n *node) clear() {
	if n.slot != nil {
		n.slot.kind = missing
	}
	n.seen = 0
	for _, child := range n.children {
		child.clear()
	}
	for _, child := range n.elements {
		if child != nil {
			child.clear()
		}
	}
}

func lengthBit(length int) uint64 { return 1 << min(length, 63) }

// element returns the child at a position of an array, or nil.
func (n *node) element(i int) *node {
	if i >= len(n.elements) {
		return nil
	}
	return n.elements[i]
}
