import SystemPackage
import Tessera

func data(_ folder: FilePath) async throws {
  let key = RandomKey(seed: 1)
  let images = try ImageFolder.load(from: folder, resizedTo: (64, 64), channels: .grey)
  let plan = try images.batches(
    of: 32,
    shuffledBy: key["epoch"][1],
    transforms: [
      RandomCrop(padding: 4), RandomHorizontalFlip(), Normalize(mean: [0.5], deviation: [0.25]),
    ]
  )
  for try await batch in plan.prefetched(ahead: 4, workers: 2) {
    print("data:", batch.images, batch.labels)
  }

  let sites = try Dirichlet(alpha: 0.5)
    .indices(labels: FashionMNIST.load(.test).labelList, sites: 8, key: key["partition"])
  print("sites:", sites.map(\.count))
}
