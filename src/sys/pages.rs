//! Giving back the pages of the program that only its start needed.

use std::ffi::{c_int, c_void};
use std::ptr;

/// Unmaps the program's own code and constants for now.
///
/// They stay in the kernel's page cache and are mapped again, piece by piece,
/// as they are used; what is not used any more, such as reading the command
/// line, no longer counts as resident. For a process that lives as long as the
/// machine and uses a few functions of a large binary that is most of it.
pub fn give_back_unused_code() {
    // SAFETY: the callback takes no data and only reads what it is given.
    unsafe { libc::dl_iterate_phdr(Some(give_back), ptr::null_mut()) };
}

/// Called for the program itself first; not 0 ends the iteration there.
extern "C" fn give_back(info: *mut libc::dl_phdr_info, _size: usize, _data: *mut c_void) -> c_int {
    // SAFETY: the C library passes a valid pointer, for the time of the call.
    let info = unsafe { &*info };
    let count = usize::from(info.dlpi_phnum);
    // SAFETY: the program headers are part of the mapped program.
    let headers = unsafe { std::slice::from_raw_parts(info.dlpi_phdr, count) };
    let page = rustix::param::page_size();
    for header in headers.iter().filter(|h| h.p_type == libc::PT_LOAD && h.p_flags & libc::PF_W == 0) {
        // p_vaddr and p_memsz are as wide as an address.
        let (Ok(offset), Ok(length)) = (usize::try_from(header.p_vaddr), usize::try_from(header.p_memsz)) else {
            continue;
        };
        let Ok(base) = usize::try_from(info.dlpi_addr) else { continue };
        let start = (base + offset) & !(page - 1);
        let end = base + offset + length;
        // SAFETY: the range is a read-only private mapping of the program's
        // file. Nobody could write to it, so mapping it anew gives the same.
        unsafe { libc::madvise(ptr::without_provenance_mut(start), end - start, libc::MADV_DONTNEED) };
    }
    1
}
