import Foundation
import SystemPackage
import TesseraCore
import TesseraTesting
import Testing

@Suite struct NumPyFileTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }
  private static let dtypes = DType.allCases.filter { $0 != .bfloat16 }

  @Test(arguments: dtypes)
  func arraysComeBackAsTheyWere(_ dtype: DType) throws {
    let path = folder.path.appending("x.npy")
    for shape in [[2, 3], [6], [1, 1, 6, 1], []] {
      let count = shape.reduce(1, *)
      let tensor = try Tensor.range(0..<count).reshaped(to: shape).to(dtype)
      try NumPyFile.write(tensor, to: path)
      #expect(try NumPyFile.read(path).isIdentical(to: tensor))
    }
    let empty = try Tensor.zeros([0, 2], dtype: dtype)
    try NumPyFile.write(empty, to: path)
    #expect(try NumPyFile.read(path).isIdentical(to: empty))
  }

  @Test(arguments: [false, true])
  func archivesComeBackAsTheyWere(_ compressed: Bool) throws {
    let path = folder.path.appending("x.npz")
    let tensors = try NumPyFileTests.dtypes.map {
      (name: "\($0)/ü", tensor: try Tensor.range(0..<1000).to($0))
    }
    try NumPyFile.writeArchive(tensors, to: path, compressed: compressed)
    let read = try NumPyFile.readArchive(path)
    #expect(read.map(\.name) == tensors.map(\.name))
    for (a, b) in zip(read, tensors) {
      #expect(try a.tensor.isIdentical(to: b.tensor), "\(a.name)")
    }
    try NumPyFile.writeArchive([], to: path)
    #expect(try NumPyFile.readArchive(path).isEmpty)
  }

  @Test func pythonReadsOursAndWritesForUs() throws {
    let names = NumPyFileTests.dtypes.map { "\($0)" }
    let x = try Tensor.range(0..<6).reshaped(to: [2, 3])
    try NumPyFile.writeArchive(
      NumPyFileTests.dtypes.map { (name: "\($0)", tensor: try x.to($0)) },
      to: folder.path.appending("ours.npz"),
      compressed: true
    )
    try NumPyFile.write(Tensor([1.5, 2.5] as [Float]), to: folder.path.appending("ours.npy"))
    let script = """
      import sys, numpy as np
      folder = sys.argv[1]
      x = np.arange(6).reshape(2, 3)
      with np.load(folder + "/ours.npz") as ours:
          assert len(ours.files) == 11, ours.files
          for name in ours.files:
              expected = x.astype(name)
              assert ours[name].dtype == expected.dtype and (ours[name] == expected).all(), name
      assert (np.load(folder + "/ours.npy") == np.array([1.5, 2.5], np.float32)).all()
      np.savez_compressed(folder + "/theirs.npz", **{n: x.astype(n) for n in sys.argv[2:]})
      np.savez(folder + "/plain.npz", x, second=x)
      np.save(folder + "/fortran.npy", np.asfortranarray(x.astype(np.float32)))
      np.save(folder + "/big.npy", x.astype(">f8"))
      np.save(folder + "/big-complex.npy", (x + 1j * x).astype(">c16"))
      np.save(folder + "/number.npy", np.float64(2.5))
      np.lib.format.write_array(open(folder + "/v2.npy", "wb"), x, version=(2, 0))
      np.save(folder + "/text.npy", np.array(["a", "b"]))
      np.save(folder + "/objects.npy", np.array([{}], dtype=object), allow_pickle=True)
      """
    try python(script, [folder.path.string] + names)
    let theirs = try NumPyFile.readArchive(folder.path.appending("theirs.npz"))
    #expect(theirs.map(\.name) == names)
    for (name, tensor) in theirs {
      #expect("\(tensor.dtype)" == name)
      #expect(try tensor.isIdentical(to: x.to(tensor.dtype)), "\(name)")
    }
    let plain = try NumPyFile.readArchive(folder.path.appending("plain.npz"))
    #expect(Set(plain.map(\.name)) == ["arr_0", "second"])
    func read(_ name: String) throws -> Tensor {
      try NumPyFile.read(folder.path.appending(name))
    }
    #expect(try read("fortran.npy").isIdentical(to: x.to(.float32)))
    #expect(try read("big.npy").isIdentical(to: x.to(.float64)))
    #expect(try read("big-complex.npy").imaginaryPart().isIdentical(to: x.to(.float64)))
    #expect(try read("number.npy").item() == 2.5)
    #expect(try read("v2.npy").isIdentical(to: x))
    #expect(throwing(.malformedFile) { _ = try read("text.npy") })
    #expect(throwing(.malformedFile) { _ = try read("objects.npy") })
  }

  @Test func whatNumPyHasNoTypeForIsRefused() throws {
    let tensor = try Tensor.ones([2], dtype: .bfloat16)
    #expect(throwing(.unsupported) { try NumPyFile.write(tensor, to: folder.path.appending("x")) })
    #expect(
      throwing(.unsupported) {
        try NumPyFile.writeArchive([("x", tensor)], to: folder.path.appending("x"))
      }
    )
    let twice: [(name: String, tensor: Tensor)] = try [("x", Tensor([1])), ("x", Tensor([2]))]
    #expect(throws: TensorError.self) {
      try NumPyFile.writeArchive(twice, to: folder.path.appending("x"))
    }
    #expect(folder.names == [])
  }

  @Test func truncatedFilesAreNamed() throws {
    let path = folder.path.appending("cut.npy")
    try NumPyFile.write(Tensor.range(0..<10), to: path)
    let whole = try folder.bytes(of: path)
    for count in 0..<whole.count {
      _ = try folder.file("cut.npy", Array(whole.prefix(count)))
      let error = failure { _ = try NumPyFile.read(path) }
      #expect(error?.code == .malformedFile)
      #expect(error?.message.contains("cut.npy") == true)
    }
  }

  @Test func noMutationIsMoreThanAnError() throws {
    let path = folder.path.appending("mutated.npy")
    try NumPyFile.write(Tensor.range(0..<12).reshaped(to: [3, 4]), to: path)
    try expectDamageIsRefused(
      as: TensorError.self,
      in: folder.bytes(of: path),
      key: RandomKey(seed: 1)
    ) { _ = try NumPyFile.read(folder.file("damaged", $0)) }
  }

  @Test(arguments: [false, true])
  func noMutationOfAnArchiveIsMoreThanAnError(_ compressed: Bool) throws {
    let path = folder.path.appending("mutated.npz")
    try NumPyFile.writeArchive(
      [("a", Tensor.range(0..<12)), ("b", Tensor.zeros([100]))],
      to: path,
      compressed: compressed
    )
    try expectDamageIsRefused(
      as: TensorError.self,
      in: folder.bytes(of: path),
      key: RandomKey(seed: 1)
    ) { _ = try NumPyFile.readArchive(folder.file("damaged", $0)) }
  }
}
