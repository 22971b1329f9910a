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
      for name in ["uint16", "uint32", "uint64"]:
          most = np.iinfo(name).max if name != "uint64" else 2**63 - 1
          np.save(folder + f"/{name}.npy", np.array([[0, 1, 2], [3, most - 1, most]], name))
          np.save(folder + f"/big-{name}.npy", np.array([0, most], np.dtype(name).newbyteorder(">")))
      np.save(folder + "/fortran-uint16.npy", np.asfortranarray(x.astype(np.uint16)))
      np.save(folder + "/too-large.npy", np.array([2**63], np.uint64))
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
    for (name, dtype, most) in [
      ("uint16", DType.int32, 65_535), ("uint32", .int64, 4_294_967_295), ("uint64", .int64, .max),
    ] {
      let expected = try Tensor([0, 1, 2, 3, most - 1, most], shape: [2, 3]).to(dtype)
      #expect(try read("\(name).npy").isIdentical(to: expected))
      #expect(try read("big-\(name).npy").isIdentical(to: Tensor([0, most]).to(dtype)))
    }
    #expect(try read("fortran-uint16.npy").isIdentical(to: x.to(.int32)))
    let tooLarge = failure { _ = try read("too-large.npy") }
    #expect(tooLarge?.code == .malformedFile)
    #expect(tooLarge?.message.contains("too-large.npy") == true)
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

  @Test func bytesThatAreNoTruthValuesCountAsTrue() throws {
    let path = folder.path.appending("flags.npy")
    try NumPyFile.write(Tensor([false, true, true]), to: path)
    let whole = try folder.bytes(of: path)
    let flags = try NumPyFile.read(folder.file("flags.npy", whole.dropLast() + [2]))
    #expect(try flags.withBytes { Array($0) } == [0, 1, 1])
  }

  @Test func aShapeThatNoTensorHasNamesTheFile() throws {
    let header =
      "{'descr': '<f4', 'fortran_order': False, 'shape': (9999999999, 9999999999), }\n"
    let signature = [0x93] + Array("NUMPY".utf8) + [1, 0, UInt8(header.utf8.count), 0]
    let path = try folder.file("huge.npy", signature + header.utf8)
    let error = failure { _ = try NumPyFile.read(path) }
    #expect(error?.code == .malformedFile)
    #expect(error?.message.contains("huge.npy") == true)
    #expect(error?.message.contains("[9999999999, 9999999999]") == true)
  }

  @Test(arguments: [false, true])
  func aChangedElementInAnArchiveIsNoticed(_ compressed: Bool) throws {
    let path = folder.path.appending("changed.npz")
    let x = try Tensor.uniform([100], using: Generator(seed: 1))
    try NumPyFile.writeArchive([("x", x)], to: path, compressed: compressed)
    var bytes = try folder.bytes(of: path)
    // The elements end where the central directory begins.
    let directory = try #require(bytes.firstRange(of: [0x50, 0x4B, 1, 2])?.lowerBound)
    bytes[directory - 40] ^= 1
    let error = failure {
      _ = try NumPyFile.readArchive(folder.file("changed.npz", bytes))
    }
    #expect(error?.code == .malformedFile)
    #expect(error?.message.contains("x.npy") == true)
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

  @Test func aHostileArchiveCannotOverflowItsSizes() throws {
    let path = folder.path.appending("hostile.npz")
    // An entry whose sizes are in a zip64 field, and as large as numbers get.
    let script = """
      import struct, sys
      name, most = b"x.npy", 2**64 - 1
      extra = struct.pack("<HHQQ", 1, 16, most, most)
      local = struct.pack("<IHHHHHIIIHH", 0x04034b50, 45, 0, 0, 0, 0, 0, 2**32 - 1, 2**32 - 1,
                          len(name), len(extra)) + name + extra
      central = struct.pack("<IHHHHHHIIIHHHHHII", 0x02014b50, 45, 45, 0, 0, 0, 0, 0, 2**32 - 1, 2**32 - 1,
                            len(name), len(extra), 0, 0, 0, 0, 0) + name + extra
      end = struct.pack("<IHHHHIIH", 0x06054b50, 0, 0, 1, 1, len(central), len(local), 0)
      open(sys.argv[1], "wb").write(local + central + end)
      """
    try python(script, [path.string])
    #expect(throwing(.malformedFile) { _ = try NumPyFile.readArchive(path) })
  }
}
