// The programs that docs/training-in-swift.md explains, in its order. A test compares the two.
import Tessera

try tensors()
try gradients()
try models()
try await data(Scans.folder())
try await federation()
try await ownParts()
print("The guide's programs have run.")
